import math
import os
from itertools import islice

import numpy as np
import pytest
import torch

from residua.data import load_data, same_identity
from residua.errors import ResiduaError, UsageError
from residua.spec import DataSpec, Recipe


@pytest.fixture
def folder(tmp_path):
    for i in range(10):
        (tmp_path / f"part{i % 2}").mkdir(exist_ok=True)
        (tmp_path / f"part{i % 2}" / f"{i}.txt").write_bytes(bytes(range(1, 121)) * 3)
    return tmp_path


def load(source, **options):
    return load_data(DataSpec.of(source).change(**{"context": 16, **options}))


def stream(data, seed, epoch, start=0, batch_size=4):
    batches = data.train_batches(Recipe(batch_size=batch_size), seed=seed)
    return list(batches.epoch(epoch, start=start)), batches.steps_per_epoch


def test_the_standard_library_is_always_there_and_always_the_same():
    first, again = load("text", context=128), load("text", context=128)
    assert first.kind == "text"
    assert first.shape == (128,)
    assert first.model_changes() == {"vocabulary": 256, "num_classes": 256, "context": 128}
    assert same_identity(first.identity, again.identity) is None
    counts = first.identity["counts"]
    assert 0.9 * 2**20 < sum(counts.values()) <= 2**20
    assert counts["test"] / sum(counts.values()) == pytest.approx(0.2, abs=0.1)
    content = first.train.content.numpy().tobytes()
    assert b"import" in content


def test_a_file_belongs_to_one_part_only(folder):
    data = load(f"text:{folder}")
    files = data.identity["files"]
    assert {part: len(own) for part, own in files.items()} == {"train": 7, "val": 1, "test": 2}
    assert len({name for own in files.values() for name in own}) == 10
    assert load(f"text:{folder}", split_seed=1).identity["files"] != files


def test_other_bytes_are_another_identity(folder):
    before = load(f"text:{folder}").identity
    (folder / "part0" / "0.txt").write_bytes(bytes(range(1, 121)) * 2 + b"x" * 120)
    assert "fingerprint differs" in str(same_identity(before, load(f"text:{folder}").identity))


def test_windows_are_followed_by_their_next_bytes(folder):
    (tokens, targets), *_ = stream(load(f"text:{folder}"), 0, 0)[0]
    assert tokens.shape == targets.shape == (4, 16)
    assert tokens.dtype == torch.int64
    assert torch.equal(tokens[:, 1:], targets[:, :-1])
    assert torch.equal(targets[:, -1], tokens[:, -1] % 120 + 1)  # what the files go on with


def test_batch_i_of_an_epoch_is_a_function_of_seed_epoch_and_i(folder):
    data = load(f"text:{folder}")
    whole, steps = stream(data, 3, 5)
    rest, _ = stream(load(f"text:{folder}"), 3, 5, start=20)
    assert len(whole) == steps == (7 * 360 // 16 - 1) // 4
    for (a, b), (c, d) in zip(whole[20:], rest, strict=True):
        assert torch.equal(a, c)
        assert torch.equal(b, d)
    for other in (stream(data, 4, 5)[0], stream(data, 3, 6)[0]):
        assert not all(torch.equal(a, b) for (a, _), (b, _) in zip(whole, other, strict=True))


@pytest.mark.parametrize("context", [16, 100, 300])
def test_every_batch_of_every_epoch_is_full(folder, context):
    data = load(f"text:{folder}", context=context)
    for epoch in range(20):
        batches, steps = stream(data, 0, epoch, batch_size=1)
        assert len(batches) == steps
        assert all(tokens.shape == (1, context) for tokens, _ in batches)


def test_an_epoch_shows_each_byte_once_at_most(folder):
    text = bytes(np.random.default_rng(0).integers(1, 127, 4000).astype(np.uint8))
    (folder / "part0" / "0.txt").write_bytes(text)
    batches, _ = stream(load(f"text:{folder}", context=16), 0, 0, batch_size=1)
    windows = [bytes(tokens[0].tolist()) for tokens, _ in batches]
    content = load(f"text:{folder}").train.content.numpy().tobytes()
    assert all(window in content for window in windows)
    assert len(windows) * 16 <= len(content)
    in_text = [text.find(window) for window in windows if window in text]
    assert len(in_text) == len(set(in_text)) > 100


def test_evaluation_reads_the_windows_in_order_each_once(folder):
    data = load(f"text:{folder}")
    read = [tokens for tokens, _ in data.eval_batches("test", 5)]
    content = torch.cat(read).flatten()
    assert torch.equal(content, data.test.content[: len(content)].long())
    assert len(content) == (len(data.test.content) - 1) // 16 * 16
    assert len(list(islice(data.eval_batches("test", 5, limit=2), 9))) == 2
    with pytest.raises(UsageError, match="no 'valid' part"):
        list(data.eval_batches("valid", 5))


def test_a_single_file_is_cut_into_pieces(tmp_path):
    (tmp_path / "book.txt").write_bytes(b"a line of it\n" * 500)
    data = load(f"text:{tmp_path / 'book.txt'}")
    assert sum(data.identity["counts"].values()) == 6500
    assert {part: len(own) for part, own in data.identity["files"].items()} == {
        "train": 7,
        "val": 1,
        "test": 2,
    }


def test_what_is_no_text_is_left_out_or_refused(folder):
    (folder / "image.png").write_bytes(b"\x89PNG\xff\x00")
    (folder / "empty.txt").write_bytes(b"")
    (folder / "zero.bin").write_bytes(b"a\0b")
    (folder / ".hidden").write_bytes(b"not read")
    skipped = {entry["path"]: entry["reason"] for entry in load(f"text:{folder}").identity["skipped"]}
    assert skipped == {
        "image.png": "it is not UTF-8 at byte 0",
        "empty.txt": "it is empty",
        "zero.bin": "it holds a zero byte",
    }
    with pytest.raises(ResiduaError, match="is no text"):
        load(f"text:{folder}", strict=True)


def test_too_little_text_is_one_line(tmp_path):
    (tmp_path / "a.txt").write_text("short")
    with pytest.raises(ResiduaError, match=r"too little for a window of 16 bytes .*data\.context"):
        load(f"text:{tmp_path}")
    with pytest.raises(ResiduaError, match="too little"):
        load(f"text:{tmp_path / 'a.txt'}")
    with pytest.raises(UsageError, match="no such file or folder"):
        load(f"text:{tmp_path / 'none'}")
    with pytest.raises(UsageError, match="context must be above 0"):
        load("text", context=0)


def test_without_validation_there_is_no_such_part(folder):
    assert load(f"text:{folder}", val_fraction=0).val is None


def test_the_librarys_order_zero_entropy_is_what_language_models_are_compared_with():
    counts = torch.bincount(load("text").test.content.long(), minlength=256).double()
    shares = counts[counts > 0] / counts.sum()
    assert 4 < float(-(shares * shares.log2()).sum()) < 5.5 < math.log2(256)


def test_a_single_file_of_any_size_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "sparse.txt").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(
        ResiduaError, match="1,099,511,627,776 bytes: a file of text has 1,073,741,824 at most"
    ):
        load(f"text:{tmp_path / 'sparse.txt'}")


@pytest.mark.timeout(60)
def test_pipes_and_circles_of_links_are_no_text(folder):
    os.mkfifo(folder / "pipe.txt")
    (folder / "circle.txt").symlink_to("circle.txt")
    (folder / "part0" / "up").symlink_to(folder)
    files = load(f"text:{folder}").identity["files"]
    assert sum(map(len, files.values())) == 10
