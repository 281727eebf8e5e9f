"""Tar shards in WebDataset's layout: what is read, from here and from a URL, in which order, and what damage does."""

import errno
import io
import multiprocessing.shared_memory  # noqa: F401 - to be taken away
import shutil
import subprocess
import sys
import threading
import time
import tracemalloc
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.data.shards import encoded, samples, write_tar

from residua.data import Data, load_data
from residua.data import tar_store as store
from residua.data.batches.keyed import generator
from residua.errors import ResiduaError, UsageError
from residua.files import write_json
from residua.runs.trusted_data import trusted_data
from residua.spec import DataSpec, Recipe
from residua.train import fit, resume
from residua.train.callbacks import Callback

PARTS = {"train-000": range(20), "train-001": range(20, 40), "test-000": range(40, 50)}


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """40 images for training in two shards and 10 for testing; image i is ``encoded(i)``, its label i % 2."""
    for name, numbers in PARTS.items():
        write_tar(tmp_path / "set" / f"{name}.tar", samples(numbers))
    return tmp_path / "set"


@pytest.fixture
def url(shards: Path) -> str:
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    for path in shards.glob("*.tar"):
        memory.pipe_file(f"/bucket/{path.name}", path.read_bytes())
    return "memory://bucket"


def everything(data: Data, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    return data.split(part).read(np.arange(len(data.split(part))))


@pytest.mark.parametrize("storage", ["memory", "stream"])
def test_a_folder_of_shards_is_found_and_read(shards: Path, storage: str) -> None:
    data: Data = load_data(shards, storage=storage)
    assert data.kind == "tar" and data.classes == ("0", "1") and data.shape == (3, 16, 16)
    assert data.identity["counts"] == {"train": 36, "val": 4, "test": 10}
    assert data.identity["splits"]["test"] == "*test*.tar" and data.identity["path"] == str(shards)
    images, labels = everything(data, "test")
    expected = [np.asarray(Image.open(io.BytesIO(encoded(40 + i)))) for i in range(10)]
    assert images.permute(0, 2, 3, 1).numpy().tolist() == np.stack(expected).tolist()
    assert labels.tolist() == [i % 2 for i in range(10)]
    assert (data.test.paths() or [])[3] == str(shards / "test-000.tar/000003/some/00043.png")


def test_labels_come_from_cls_or_json_and_a_field_can_be_named(tmp_path: Path) -> None:
    file = write_tar(tmp_path / "all.tar", samples(range(30), "json"))
    assert load_data(file).classes == ("a", "b")
    named = DataSpec.of(f"tar:{file}").change(**{"source.label": "other"})
    assert load_data(named).classes == ("0", "1", "2")
    with pytest.raises(ResiduaError, match=r"its \.json has no colour"):
        load_data(DataSpec.of(f"tar:{file}").change(**{"source.label": "colour"}))
    texts = write_tar(tmp_path / "texts.tar", [(f"{i}{end}", part) for i in range(10) for end, part in (
        (".jpeg.png", encoded(i)), (".CLS", ["ü", "ö"][i % 2].encode()))])  # fmt: skip
    assert load_data(texts).classes == ("ö", "ü")
    many = write_tar(tmp_path / "many.tar", [(f"{i}{end}", part) for i in range(24) for end, part in (
        (".png", encoded(i)), (".cls", str(i % 12).encode()))])  # fmt: skip
    assert load_data(many).classes == tuple(map(str, range(12))), "in the order of the numbers"


def test_class_folders_beside_a_tar_file_stay_a_folder_of_images(tmp_path: Path) -> None:
    for i in range(20):
        path = tmp_path / "photos" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(i))
    write_tar(tmp_path / "photos/backup.tar", samples(range(4)))
    assert load_data(tmp_path / "photos").kind == "folder"


def test_a_url_gives_the_same_images_in_the_same_order(shards: Path, url: str, monkeypatch) -> None:
    monkeypatch.setattr(store, "RUN", 4096)
    monkeypatch.setattr("residua.data.decoding.WINDOW", 20_000)
    here, there = load_data(shards, storage="stream"), load_data(url, storage="stream")
    assert there.identity["path"] == url and there.identity["split_sha256"] == here.identity["split_sha256"]
    orders = [data.train.order(generator(3, "order", 1)) for data in (here, there)]
    assert np.array_equal(*orders) and sorted(orders[0]) == list(range(36))
    for one, other in zip(
        *(data.train_batches(Recipe(batch_size=8), seed=0).epoch(1) for data in (here, there)), strict=True
    ):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_run_from_afar_is_read_once_an_epoch(url: str, monkeypatch) -> None:
    monkeypatch.setattr(store, "RUN", 4096)  # some four images
    monkeypatch.setattr(store, "HELD", 8 * 4096)
    monkeypatch.setattr("residua.data.decoding.WINDOW", 2 * 4096)
    data = load_data(DataSpec.of(url).change(val_fraction=0), storage="stream", workers=3)
    read: list[tuple] = []
    whole = store.TarImages._read_run
    monkeypatch.setattr(
        store.TarImages, "_read_run", lambda self, *run: read.append(run) or whole(self, *run)
    )
    list(data.train_batches(Recipe(batch_size=8), seed=0).epoch(0))
    assert len(read) == len(set(read)) > 5


class Ranges(BaseHTTPRequestHandler):
    """Serves the files of a folder by ranges, as object stores do; the next ``failing`` readings fail."""

    root, failing = Path(), 0

    def do_HEAD(self) -> None:
        path = self.root / self.path[1:]
        self.answer(b"", path.stat().st_size) if path.is_file() else self.send_error(404)

    def do_GET(self) -> None:
        path, whole = self.root / self.path[1:], self.headers.get("Range", "")
        if not path.is_file():
            self.send_error(404)
            return
        if whole and Ranges.failing:
            Ranges.failing -= 1
            self.send_error(503)
            return
        first, _, last = whole.removeprefix("bytes=").partition("-")
        content = path.read_bytes()
        self.answer(content[int(first or 0) : int(last or len(content)) + 1], None, partial=bool(whole))

    def answer(self, content: bytes, length: int | None, *, partial: bool = False) -> None:
        self.send_response(206 if partial else 200)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


def test_shards_are_read_over_http_by_ranges_and_asked_for_again(shards: Path, monkeypatch) -> None:
    pytest.importorskip("aiohttp", reason="fsspec reads http:// through aiohttp: the extra remote")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    for name in ("RUN", "HELD"):
        monkeypatch.setattr(store, name, 4096)  # one run is held, and read again after another
    here = load_data(shards)
    Ranges.root = shards
    with ThreadingHTTPServer(("127.0.0.1", 0), Ranges) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        there = load_data(f"{address}/train-{{000..001}}.tar", storage="stream")
        monkeypatch.setattr(Ranges, "failing", 2)
        images, labels = there.train.read(np.arange(len(there.train)))
        with pytest.raises(ResiduaError, match=r"cannot read http.*none\.tar: "):
            load_data(f"{address}/none.tar")
        server.shutdown()
    assert not Ranges.failing and len(images) == len(labels) == 28
    known = {image.numpy().tobytes() for part in ("train", "val") for image in everything(here, part)[0]}
    assert {image.numpy().tobytes() for image in images} <= known


def test_files_of_a_url_can_be_counted(url: str) -> None:
    data = load_data(f"{url}/train-{{000..001}}.tar")
    assert sum(data.identity["counts"].values()) == 40
    with pytest.raises(ResiduaError, match=r"cannot read memory://bucket/train-002\.tar: FileNotFoundError"):
        load_data(f"{url}/train-{{000..002}}.tar")
    for wrong in (f"{url}/train-{{9..0}}.tar", "nosuch://x/y.tar", f"folder:{url}"):
        with pytest.raises(UsageError):
            load_data(wrong)


def test_a_run_folder_alone_opens_no_url(url: str) -> None:
    class Folder:
        name, path, data_spec = "R", Path("R"), DataSpec.of(f"tar:{url}/other")

    with pytest.raises(UsageError, match="have not named on this machine"):
        trusted_data(Folder)  # pyright: ignore[reportArgumentType]
    Folder.data_spec = DataSpec.of(f"tar:{url}")
    load_data(Folder.data_spec)
    assert trusted_data(Folder) is Folder.data_spec  # pyright: ignore[reportArgumentType]


def test_shards_are_indexed_once(shards: Path, monkeypatch) -> None:
    before = load_data(shards).identity
    made: list[str] = []
    whole = store.read_index
    monkeypatch.setattr(
        store, "read_index", lambda file, *a, **k: made.append(file.name) or whole(file, *a, **k)
    )
    assert load_data(shards).identity == before and not made
    (shards / "test-000.tar").touch()
    load_data(shards)
    assert [Path(name).name for name in made] == ["test-000.tar"]
    for kept in store._cache().iterdir():
        kept.write_text("{")
    assert load_data(shards).identity == before and len(made) == 4


def test_a_shard_that_is_damaged_is_read_up_to_there_and_named(shards: Path, caplog) -> None:
    file = shards / "train-001.tar"
    file.write_bytes(file.read_bytes()[:20_000])
    data = load_data(shards)
    assert 20 < len(data.train) + len(data.val or ()) < 40
    assert data.identity["skipped"][-1]["path"] == "train-001.tar"
    assert "train-001.tar" in caplog.text and "images before that are read" in caplog.text
    with pytest.raises(ResiduaError, match=r"train-001\.tar: (truncated|unexpected end)"):
        load_data(DataSpec.of(shards).change(strict=True))
    file.write_bytes(bytes(range(256)) * 40)
    assert load_data(shards).identity["counts"]["train"] == 18


def test_parts_that_are_unclear_and_no_shards_are_one_line(shards: Path, tmp_path: Path) -> None:
    shutil.copy(shards / "train-000.tar", shards / "other.tar")
    with pytest.raises(ResiduaError, match=r"which part is other\.tar"):
        load_data(shards)
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError, match=r"holds no \.tar file"):
        load_data(f"tar:{tmp_path / 'none'}")
    (tmp_path / "x.tar.gz").touch()
    with pytest.raises(UsageError, match=r"x\.tar\.gz is no \.tar file; a compressed one"):
        load_data(f"tar:{tmp_path / 'x.tar.gz'}")
    one = write_tar(tmp_path / "one.tar", samples(range(0, 20, 2)))
    with pytest.raises(ResiduaError, match="images of 1 classes"):
        load_data(one)
    bare = write_tar(tmp_path / "bare.tar", [("a.jpg", encoded(0))])
    with pytest.raises(ResiduaError, match=r"bare\.tar/a\.jpg: no \.cls and no \.json beside it"):
        load_data(bare)


class Vanishing(Callback):
    """Takes a shard away after the first step."""

    def __init__(self, shard: Path) -> None:
        self.shard = shard

    def on_step(self, moment) -> None:
        if self.shard.exists():
            self.shard.rename(self.shard.with_suffix(".away"))


def test_a_shard_that_vanishes_stops_the_training_which_goes_on_to_the_same_bits(
    shards: Path, tmp_path, monkeypatch
):
    for name in ("SURELY_FITS", "NEVER_FITS"):
        monkeypatch.setattr(f"residua.data.encoded.{name}", 1)
    how = {
        "progress": False,
        "compile": "off",
        "threads": 1,
        "recipe_changes": {"epochs": 2, "batch_size": 4},
    }
    whole = fit("cifar_resnet8", shards, run_dir=tmp_path / "whole", **how)
    assert whole.data["storage"] == "stream"
    shard = shards / "train-001.tar"
    with pytest.raises(ResiduaError, match=r"cannot read .*train-001\.tar: No such file"):
        fit("cifar_resnet8", shards, run_dir=tmp_path / "cut", callbacks=[Vanishing(shard)], **how)
    shard.with_suffix(".away").rename(shard)
    again = resume(tmp_path / "cut", progress=False)
    for file in ("model.safetensors", "metrics.jsonl"):
        assert (again.path / file).read_bytes() == (whole.path / file).read_bytes()


def test_a_shard_that_changes_while_it_is_read_is_noticed(shards: Path) -> None:
    data = load_data(shards, storage="stream")
    with (shards / "test-000.tar").open("ab") as file:
        file.write(b"more")
    with pytest.raises(ResiduaError, match="has changed while it was read"):
        everything(data, "test")


ORDER = """
import sys
from residua.data import load_data
from residua.data.batches.keyed import generator
data = load_data(sys.argv[1], storage="stream", workers=4)
order = [data.train.order(generator(5, "order", epoch)).tolist() for epoch in range(3)]
print(order)
"""


@pytest.mark.slow
def test_the_order_is_a_function_of_seed_and_epoch_in_every_process(shards: Path) -> None:
    data = load_data(shards, storage="stream", workers=1)
    order = [data.train.order(generator(5, "order", epoch)).tolist() for epoch in range(3)]
    there = [sys.executable, "-c", ORDER, str(shards)]
    assert subprocess.run(there, capture_output=True, check=True, text=True).stdout.strip() == str(order)


def test_ranks_that_each_read_their_share_of_a_batch_read_what_one_process_reads(shards: Path) -> None:
    data = load_data(shards, storage="stream")
    batch = data.train.order(generator(0, "order", 4))[8:16]
    whole, labels = data.train.read_augmented(batch, (0, 4))
    for ranks in (1, 2, 3):
        each = [
            load_data(shards, storage="stream").train.read_augmented(batch[r::ranks], (0, 4))
            for r in range(ranks)
        ]
        for rank, (images, answers) in enumerate(each):
            assert torch.equal(images, whole[rank::ranks]) and torch.equal(answers, labels[rank::ranks])


def test_a_batch_in_the_middle_of_an_epoch_is_the_same_alone(shards: Path) -> None:
    batches = load_data(shards, storage="stream").train_batches(Recipe(batch_size=4), seed=7)
    through = list(batches.epoch(2))
    for i in (0, 3, 8):
        alone = next(batches.epoch(2, start=i))
        assert all(torch.equal(a, b) for a, b in zip(alone, through[i], strict=True))


def test_neither_shared_memory_nor_another_process_is_needed(shards: Path, monkeypatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    for name in (
        "multiprocessing.shared_memory.SharedMemory",
        "multiprocessing.process.BaseProcess.start",
        "os.fork",
    ):
        monkeypatch.setattr(name, refuse)
    monkeypatch.setattr("torch.Tensor.share_memory_", refuse)
    data = load_data(shards, storage="stream", workers=4)
    assert len(list(data.train_batches(Recipe(batch_size=4), seed=0).epoch(0))) == 9
    assert sum(len(batch.labels) for batch in data.eval_batches("test", 4)) == 10


def test_memory_stays_bounded_whatever_the_set_holds(tmp_path: Path, monkeypatch) -> None:
    fsspec = pytest.importorskip("fsspec")
    content = encoded(0, 64)  # 12 kB
    for shard in range(4):
        write_tar(tmp_path / f"{shard}.tar", [(f"{i}{end}", part) for i in range(120) for end, part in (
            (".png", content), (".cls", str(i % 2).encode()))])  # fmt: skip
    monkeypatch.setattr(store, "RUN", 50_000)
    monkeypatch.setattr(store, "HELD", 400_000)
    monkeypatch.setattr("residua.data.decoding.WINDOW", 200_000)
    fsspec.filesystem("local")  # imported before anything is measured
    data = load_data(f"file://{tmp_path}", storage="stream", workers=2)
    batches, names = data.train_batches(Recipe(batch_size=8), seed=0), len(data.train)
    tracemalloc.start()
    count = sum(len(labels) for _, labels in batches.epoch(0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count > 300 and names * len(content) > 4_000_000
    assert peak < 2_500_000, "what is held, and a few batches of 98 kB"


def test_a_prepared_sets_own_index_is_not_trusted_beyond_its_shard(shards: Path) -> None:
    load_data(shards)
    size = (shards / "test-000.tar").stat().st_size
    held = {"schema": 1, "size": size, "stamp": "", "label": None, "names": ["x"], "offsets": [512], "sizes": [size],
            "labels": [0], "checks": [-1], "left_out": {}, "damage": None}  # fmt: skip
    (shards / "index").mkdir()
    write_json(shards / "index/test-000.json", held)
    assert load_data(shards).identity["counts"]["test"] == 10, "it points outside, and counts for none"
