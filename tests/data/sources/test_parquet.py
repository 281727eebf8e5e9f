"""Parquet files as the Hugging Face hub writes them; skipped where pyarrow is not installed."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from residua.data import Data, load_data
from residua.data.batches.keyed import generator
from residua.data.image import BadImage
from residua.data.sources import parquet as module
from residua.errors import ResiduaError, UsageError
from residua.spec import DataSpec, Recipe

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

NAMES = ["zebra", "ant"]  # not in the order of the alphabet


def encoded(number: int, size: int = 16) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (size, size, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def write(
    path: Path, images, labels, *, names=None, group=10, columns=("image", "label"), as_struct=True
) -> Path:
    """A file of images (bytes or None) and labels, as the hub or as pandas writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if as_struct:
        image = pa.array(
            [{"bytes": content, "path": f"{i}.png"} for i, content in enumerate(images)],
            pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
        )
    else:
        image = pa.array(images, pa.binary())
    table = pa.table({columns[0]: image, columns[1]: pa.array(labels)})
    if names is not None:
        features = {columns[1]: {"names": names, "_type": "ClassLabel"}, columns[0]: {"_type": "Image"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path, row_group_size=group)
    return path


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """40 images for training in two shards and 10 for testing; image i is ``encoded(i)``, its label i % 2."""
    for file, numbers in {
        "train-00000-of-00002": range(20),
        "train-00001-of-00002": range(20, 40),
        "test-00000-of-00001": range(40, 50),
    }.items():
        labels = [i % 2 for i in numbers]
        write(tmp_path / "hub/data" / f"{file}.parquet", list(map(encoded, numbers)), labels, names=NAMES)
    return tmp_path / "hub"


@pytest.mark.parametrize("storage", ["memory", "stream"])
def test_shards_are_parts_and_labels_have_names(hub: Path, storage: str) -> None:
    data: Data = load_data(hub, storage=storage)
    assert data.kind == "parquet" and data.classes == ("zebra", "ant") and data.shape == (3, 16, 16)
    assert data.identity["counts"] == {"train": 36, "val": 4, "test": 10}
    assert data.identity["splits"]["test"] == "test-*.parquet"
    images, labels = data.test.read(np.arange(10))
    expected = [np.asarray(Image.open(io.BytesIO(encoded(40 + i)))) for i in range(10)]
    assert images.permute(0, 2, 3, 1).numpy().tolist() == np.stack(expected).tolist()
    assert labels.tolist() == [i % 2 for i in range(10)]
    assert (data.test.paths() or [])[3] == str(hub / "data/test-00000-of-00001.parquet/3")
    known = {np.asarray(Image.open(io.BytesIO(encoded(i)))).tobytes(): i % 2 for i in range(40)}
    read, labels = data.train.read(np.arange(36))
    for image, label in zip(read.permute(0, 2, 3, 1).numpy(), labels.tolist(), strict=True):
        assert known[image.tobytes()] == label


def test_memory_and_stream_hold_the_same_images_whatever_the_row_groups(hub: Path, tmp_path: Path) -> None:
    memory, stream = load_data(hub, storage="memory"), load_data(f"parquet:{hub}", storage="stream")
    for part in ("train", "val", "test"):
        one, other = (data.split(part).read(np.arange(len(memory.split(part)))) for data in (memory, stream))
        assert one[0].equal(other[0]) and one[1].equal(other[1])
    assert memory.identity["split_sha256"] == stream.identity["split_sha256"]


@pytest.mark.parametrize("as_struct", [True, False])
@pytest.mark.parametrize(
    ("labels", "names", "classes"),
    [
        ([i % 3 for i in range(30)], None, ("0", "1", "2")),
        ([10 * (i % 3) for i in range(30)], None, ("0", "10", "20")),
        (["bca"[i % 3] for i in range(30)], None, ("a", "b", "c")),
        ([i % 3 for i in range(30)], ["y", "x", "unused", "z"][:3], ("y", "x", "unused")),
        ([3 * (i % 2) for i in range(30)], ["y", "x", "unused", "z"], ("y", "z")),
    ],
)
def test_one_file_of_any_labels_is_split_by_residua(
    tmp_path: Path, as_struct, labels, names, classes
) -> None:
    file = write(
        tmp_path / "all.parquet", list(map(encoded, range(30))), labels, names=names, as_struct=as_struct
    )
    data = load_data(file)
    assert data.classes == classes
    assert sum(data.identity["counts"].values()) == 30 and data.identity["counts"]["test"] == 6
    assert data.identity["path"] == str(file)
    assert data.identity["fingerprint"] == load_data(f"parquet:{file}").identity["fingerprint"]


def test_other_columns_are_named(tmp_path: Path) -> None:
    file = write(
        tmp_path / "x.parquet",
        list(map(encoded, range(20))),
        [i % 2 for i in range(20)],
        columns=("img", "fine"),
    )
    with pytest.raises(UsageError, match=r"no column 'image'.*data\.source\.image"):
        load_data(file)
    spec = DataSpec.of(f"parquet:{file}").change(**{"source.image": "img", "source.label": "fine"})
    assert load_data(spec).identity["counts"]["train"] == 14


def test_a_stream_is_shuffled_by_windows_of_row_groups(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("residua.data.decoding.WINDOW", 1)  # one row group at a time
    data = load_data(DataSpec.of(hub).change(val_fraction=0), storage="stream")
    order = data.train.order(generator(0, "order", 0))
    assert sorted(order) == list(range(40)) and order.tolist() != sorted(order)
    groups = order.reshape(4, 10) // 10
    assert (groups == groups[:, :1]).all() and groups[:, 0].tolist() != [0, 1, 2, 3]
    read = []
    whole = module.RowGroups._read
    monkeypatch.setattr(
        module.RowGroups, "_read", lambda self, *place: read.append(place) or whole(self, *place)
    )
    monkeypatch.setattr(module, "HELD", 1)
    batches = data.train_batches(Recipe(batch_size=8), seed=0)
    one = list(batches.epoch(0))
    assert len(read) <= 8, "a row group is read once, and again where a batch ends within it"
    rest = list(batches.epoch(0, start=3))
    assert all(torch.equal(a, b) for a, b in zip(one[3], rest[0], strict=True))


def test_bad_images_are_left_out_and_listed(tmp_path: Path) -> None:
    images = [*map(encoded, range(28)), b"no image", None]
    file = write(tmp_path / "x.parquet", images, [i % 2 for i in range(30)])
    skipped = load_data(file).identity["skipped"]
    assert [(entry["path"], entry["reason"]) for entry in skipped] == [
        ("28", "not an image, or damaged at its beginning"),
        ("29", "the row holds no image"),
    ]
    with pytest.raises(BadImage, match=r"x\.parquet/28: not an image"):
        load_data(DataSpec.of(file).change(strict=True))


def test_rows_without_a_label_are_no_samples(hub: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = hub / "data/test-00000-of-00001.parquet"
    write(
        file, list(map(encoded, range(10))), [-1] * 10, names=NAMES
    )  # as the hub hides the labels of a test part
    data = load_data(hub)
    assert data.identity["counts"] == {"train": 28, "val": 4, "test": 8}
    assert "left out 10 rows of" in caplog.text
    with pytest.raises(ResiduaError, match="10 rows have no label"):
        load_data(DataSpec.of(hub).change(strict=True))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: f.write_bytes(f.read_bytes()[:500]), "is no parquet file, or damaged"),
        (lambda f: f.write_bytes(b"PAR1" + bytes(100)), "is no parquet file, or damaged"),
        (lambda f: pq.write_table(pa.table({"image": [1], "label": [1]}), f), "holds int64, not the bytes"),
        (lambda f: pq.write_table(pa.table({"image": [b""], "label": [1.5]}), f), "not whole numbers or texts"),
        (lambda f: pq.write_table(pa.table({"image": [b"x"], "label": [0]})[:0], f), "has rows of 0 classes"),
        (lambda f: write(f, [encoded(0)] * 4, [0, 1, 2, 3], names=NAMES), "label 2, beyond 2 names"),
        (lambda f: write(f, [encoded(0)] * 4, [0, 1, 0, 1], names=["a", "a"]), "two of its labels have one name"),
        (lambda f: write(f, [encoded(0)] * 4, [0, 1, 0, 1], names=["a", 1]), "no list of texts"),
    ],
)  # fmt: skip
def test_files_that_are_no_images_with_labels_are_one_line(tmp_path: Path, damage, message: str) -> None:
    file = write(tmp_path / "x.parquet", list(map(encoded, range(20))), [i % 2 for i in range(20)])
    damage(file)
    with pytest.raises(ResiduaError, match=message) as refused:
        load_data(f"parquet:{file}")
    assert "\n" not in str(refused.value)


def test_a_row_group_that_stands_for_too_many_bytes_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "MAX_GROUP", 100_000)
    images = [bytes(50_000)] * 20  # a dictionary: the file holds it once
    file = write(tmp_path / "x.parquet", images, [i % 2 for i in range(20)], group=20)
    assert file.stat().st_size < 10_000
    with pytest.raises(ResiduaError, match=r"no readable image.*its row group is refused"):
        load_data(file)


def test_parts_that_are_unclear_are_one_line(hub: Path, tmp_path: Path) -> None:
    (hub / "data/other.parquet").write_bytes((hub / "data/test-00000-of-00001.parquet").read_bytes())
    with pytest.raises(ResiduaError, match=r"which part is data/other\.parquet"):
        load_data(hub)
    with pytest.raises(UsageError, match=r"holds no \.parquet file"):
        load_data(f"parquet:{tmp_path}")
    write(tmp_path / "odd/test-0.parquet", [encoded(0)] * 4, [0, 1, 0, 1])
    with pytest.raises(ResiduaError, match="no files called train"):
        load_data(tmp_path / "odd")


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_in_one_line(data: st.DataObject, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    file = write(folder / "x.parquet", list(map(encoded, range(12))), [i % 2 for i in range(12)], group=4)
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content)
    try:
        load_data(f"parquet:{file}")
    except ResiduaError as error:
        assert "\n" not in str(error)
