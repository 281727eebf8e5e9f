import json
import logging
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from residua.data import (
    ArraySplit,
    Data,
    StreamingSplit,
    eval_batches,
    load_data,
    preprocess,
    read_image,
    same_identity,
)
from residua.data import encoded as module
from residua.data.loaded import Split
from residua.errors import ResiduaError, UsageError
from residua.spec import DataSpec


def load(root: Path, storage: str | None = None, **changes: object) -> Data:
    return load_data(DataSpec(source=str(root), **changes), storage=storage)  # type: ignore[arg-type]


def files_of(split: Split | None, root: Path) -> set[str]:
    return {Path(path).relative_to(root).as_posix() for path in (split.paths() or [] if split else [])}


@pytest.mark.parametrize("storage", ["memory", "stream"])
def test_a_folder_without_parts_is_split_by_seed(storage: str, make_folder) -> None:
    root = make_folder({"cat": 20, "dog": 40})
    data = load(root, storage)
    assert (data.kind, data.classes, data.shape) == ("folder", ("cat", "dog"), (3, 20, 20))
    parts = [files_of(split, root) for split in (data.train, data.val, data.test)]
    assert [len(part) for part in parts] == [43, 5, 12] and len(set.union(*parts)) == 60
    assert np.bincount(data.test.labels).tolist() == [4, 8]
    same, other = load(root, storage), load(root, storage, split_seed=1)
    assert same_identity(data.identity, same.identity) is None
    assert files_of(other.test, root) != parts[2]
    assert "split_sha256" in (same_identity(data.identity, other.identity) or "")


@pytest.mark.parametrize("storage", ["memory", "stream"])
def test_what_is_read_is_the_prepared_image_of_the_path(storage: str, make_folder) -> None:
    data = load(make_folder({"a": 6, "b": 6}, size=(30, 50)), storage, image_size=16)
    for split in filter(None, (data.train, data.val, data.test)):
        positions = np.arange(len(split))[::-1].copy()
        images, labels = split.read(positions)
        assert images.is_contiguous(memory_format=torch.channels_last) and images.dtype == torch.uint8
        for image, label, position in zip(images, labels.tolist(), positions, strict=True):
            path = (split.paths() or [])[position]
            assert np.array_equal(image.numpy(), preprocess(read_image(path), 16, 3))
            assert data.classes[label] == Path(path).parent.name


@pytest.mark.parametrize(
    ("folders", "counts", "test"),
    [
        (("train", "val", "test"), (20, 6, 4), "test/"),
        (("train", "val"), (18, 2, 6), "val/"),
        (("train", "test"), (18, 2, 4), "test/"),
        (("train",), (14, 2, 4), "0.2 of every class of train/, split seed 0"),
    ],
)
def test_parts_are_taken_from_their_folders(
    folders: tuple[str, ...], counts: tuple[int, ...], test: str, make_folder
) -> None:
    images = {"train": 10, "val": 3, "test": 2}
    root = make_folder({f"{part}/{c}": images[part] for part in folders for c in "ab"})
    data = load(root)
    assert (len(data.train), len(data.val or ()), len(data.test)) == counts
    assert data.identity["splits"]["test"] == test


def test_no_validation_and_no_test(make_folder) -> None:
    root = make_folder({"a": 5, "b": 5})
    assert load(root, val_fraction=0).val is None
    with pytest.raises(UsageError, match="nothing to test on"):
        load(root, test_fraction=0)
    with pytest.raises(UsageError, match="nothing to test on"):
        load(make_folder({"a": 1, "b": 1}, root="tiny"))


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(32, 32)], 32),
        ([(96, 96)], 96),
        ([(32, 40)], 64),
        ([(20, 20), (96, 30)], 64),
        ([(20, 20), (97, 30)], 224),
    ],
)
def test_the_size_follows_from_the_images(sizes: list[tuple[int, int]], expected: int, make_folder) -> None:
    root = make_folder({"a": 3, "b": 3}, size=sizes[0])
    for i, size in enumerate(sizes[1:]):
        Image.new("RGB", size).save(root / "a" / f"other{i}.png")
    assert load(root).shape == (3, expected, expected)


@pytest.mark.parametrize("storage", ["memory", "stream"])
def test_grey_folders_have_one_channel_and_mixed_ones_three(storage: str, make_folder) -> None:
    root = make_folder({"a": 3, "b": 3}, mode="L")
    data = load(root, storage)
    assert data.shape == (1, 20, 20) and len(data.mean) == 1 and "grey" in data.identity["channels_are"]
    Image.new("RGB", (20, 20)).save(root / "a" / "colour.png")
    mixed = load(root, storage)
    assert mixed.shape == (3, 20, 20) and len(mixed.std) == 3


def damage(root: Path) -> dict[str, str]:
    """Spoil some files; the reasons by path."""
    (root / "a/000.png").write_bytes(b"")
    (root / "a/001.png").write_text("no image")
    (root / "b/000.png").write_bytes((root / "b/000.png").read_bytes()[:200])
    (root / "b/notes.txt").write_text("left out")
    return {"a/000.png": "empty", "a/001.png": "not an image", "b/000.png": "truncated"}


@pytest.mark.parametrize("storage", ["memory", "stream"])
def test_bad_files_are_skipped_listed_and_warned_of(
    storage: str, make_folder, caplog: pytest.LogCaptureFixture
) -> None:
    root = make_folder({"a": 30, "b": 30})
    reasons = damage(root)
    data = load(root, storage)
    for name in ("train", "val", "test"):
        for _ in eval_batches(data, name, 16):
            pass
    listed = {item["path"]: item["reason"] for item in data.identity["skipped"]}
    for split in (data.train, data.val, data.test):
        paths = split.paths() or [] if split else []
        listed |= {
            Path(paths[i]).relative_to(root).as_posix(): r
            for i, r in (split.left_out if split else {}).items()
        }
    notes = "left out 1 files that are not in the set; the first is b/notes.txt: no image, by its name"
    assert listed.pop("b/notes.txt") == "no image, by its name"
    assert set(listed) == set(reasons)
    assert all(reasons[path] in reason for path, reason in listed.items())
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert sorted(warned) == sorted(
        [notes, *(f"skipped {path}: {reason}" for path, reason in listed.items())]
    )
    json.dumps(data.identity, allow_nan=False)


@pytest.mark.parametrize("storage", ["memory", "stream"])
@pytest.mark.parametrize("bad", ["a/000.png", "b/000.png"])
def test_strict_refuses_the_first_bad_file(storage: str, bad: str, make_folder) -> None:
    root = make_folder({"a": 10, "b": 10})
    good = (root / bad).read_bytes()
    (root / bad).write_bytes(good[:200] if bad.startswith("b") else b"")
    with pytest.raises(ResiduaError, match=bad):
        data = load(root, storage, strict=True)
        for name in ("train", "val", "test"):
            list(eval_batches(data, name, 8))


@pytest.mark.parametrize("storage", ["memory", "stream"])
def test_a_class_without_a_readable_image_is_one_line(storage: str, make_folder) -> None:
    root = make_folder({"a": 3, "b": 3})
    for path in (root / "a").iterdir():
        path.write_bytes(b"x")
    with pytest.raises(ResiduaError, match=r"class 'a' has no readable image .*a/000\.png: not an image"):
        load(root, storage)
    for path in (root / "b").iterdir():
        path.write_bytes(b"")
    with pytest.raises(ResiduaError, match="no readable image"):
        load(root, storage)


def test_a_set_that_is_all_truncated_is_one_line(make_folder) -> None:
    root = make_folder({"a": 3, "b": 3})
    for path in root.rglob("*.png"):
        path.write_bytes(path.read_bytes()[:200])
    for storage in ("memory", "stream"):
        with pytest.raises(ResiduaError) as refused:
            load(root, storage)
        assert "\n" not in str(refused.value)


def test_mean_and_std_are_those_of_the_training_images(make_folder) -> None:
    root = make_folder({"train/a": 6, "train/b": 6, "val/a": 3, "val/b": 3, "test/a": 2, "test/b": 2})
    for path in [*(root / "val").rglob("*.png"), *(root / "test").rglob("*.png")]:
        Image.new("RGB", (20, 20), "white").save(path)
    pixels = np.stack([np.asarray(Image.open(path)) for path in (root / "train").rglob("*.png")]) / 255
    for storage in ("memory", "stream"):
        data = load(root, storage)
        assert data.mean == pytest.approx(pixels.mean((0, 1, 2)), abs=1e-9)
        assert data.std == pytest.approx(pixels.std((0, 1, 2)), abs=1e-9)
    shutil.rmtree(root / "val")
    assert load(root, "memory").mean == pytest.approx(pixels.mean((0, 1, 2)), abs=1e-9), (
        "before the validation split"
    )


def test_a_larger_stream_is_looked_at_and_measured_by_samples(
    make_folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOKED_AT", 10)
    monkeypatch.setattr(module, "MEASURED", 7)
    data = load(make_folder({"a": 20, "b": 20}), "stream")
    assert "by 10 images" in data.identity["channels_are"]
    assert data.identity["mean_std_of"] == "7 of 28 training images, after the validation split"


def test_the_fingerprint_is_of_contents_or_of_sizes(make_folder) -> None:
    root = make_folder({"a": 5, "b": 5})
    memory, stream = (load(root, storage).identity["fingerprint"] for storage in ("memory", "stream"))
    assert memory["of"] == "file names and contents" and stream["of"] == "file names and sizes"
    path = root / "a/000.png"
    image = bytearray(path.read_bytes())
    image[-1] ^= 1
    path.write_bytes(bytes(image))
    assert load(root, "memory").identity["fingerprint"] != memory
    assert load(root, "stream").identity["fingerprint"] == stream
    path.write_bytes(bytes(image) + b"!")
    assert load(root, "stream").identity["fingerprint"] != stream


def test_available_memory_decides_where_a_set_lives(make_folder, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_folder({"a": 10, "b": 10})
    assert isinstance(load(root).train, ArraySplit), "small sets fit without asking"
    needed = 16 * 20 * 20 * 3
    monkeypatch.setattr(module, "SURELY_FITS", 0)
    for available, expected in ((4 * needed, "memory"), (4 * needed - 4, "stream"), (None, "stream")):
        monkeypatch.setattr(module, "machine", lambda a=available: SimpleNamespace(memory_available=a))
        data = load(root)
        assert data.identity["storage"] == expected
        assert isinstance(data.train, StreamingSplit) == (expected == "stream")
        assert data.pad == (2 if expected == "memory" else 0) and data.flip
    monkeypatch.setattr(module, "NEVER_FITS", needed - 1)
    monkeypatch.setattr(module, "machine", lambda: SimpleNamespace(memory_available=10**12))
    assert load(root).identity["storage"] == "stream"
    assert load(root, "memory").identity["storage"] == "memory", "a resumed run keeps what was decided"


def test_the_test_part_is_not_decoded_until_it_is_read(make_folder, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = module.Decoding.read
    monkeypatch.setattr(module.Decoding, "read", lambda self, path: read.append(path) or real(self, path))
    root = make_folder({"train/a": 4, "train/b": 4, "test/a": 4, "test/b": 4})
    data = load(root, "memory")
    assert read and all(path.startswith("train/") for path in read)
    data.test.read(np.arange(2))
    assert read[-1].startswith("test/")


def test_threads_change_nothing(make_folder) -> None:
    root = make_folder({"a": 12, "b": 12})
    for storage in ("memory", "stream"):
        one, four = (load_data(str(root), workers=workers, storage=storage) for workers in (1, 4))
        assert one.identity == four.identity
        assert one.train.read(np.arange(10))[0].equal(four.train.read(np.arange(10))[0])


def test_photographs_of_imagenet_are_read(shared: Path, tmp_path: Path) -> None:
    photographs = sorted((shared / "data/imagenet-samples").iterdir())[:24]
    for i, path in enumerate(photographs):
        (tmp_path / f"class{i % 2}").mkdir(exist_ok=True)
        (tmp_path / f"class{i % 2}" / path.name).symlink_to(path)
    data = load_data(str(tmp_path), storage="stream")
    assert data.shape == (3, 224, 224) and not data.identity["skipped"]
    assert 0.3 < data.mean[0] < 0.6
