import gzip
import io
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from residua.data import Data, load_data
from residua.data.loaded import Split
from residua.data.sources import cifar_files as module
from residua.errors import ResiduaError, UsageError
from residua.spec import DataSpec

Rows = tuple[np.ndarray, np.ndarray]


def everything(split: Split) -> tuple[torch.Tensor, torch.Tensor]:
    return split.read(np.arange(len(split)))


def pack(folder: Path, archive: Path) -> Path:
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, folder.name)
    return archive


def check(data: Data, rows: Rows) -> None:
    pixels, labels = rows
    assert (data.kind, data.shape, data.pad, data.flip) == ("cifar10", (3, 32, 32), 4, True)
    assert (len(data.train), len(data.val or ()), len(data.test)) == (90, 10, 20)
    images, numbers = everything(data.test)
    assert np.array_equal(images.numpy(), pixels[5].reshape(-1, 3, 32, 32))
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert numbers.tolist() == labels[5].tolist()
    expected = pixels[:5].reshape(-1, 3, 1024).transpose(1, 0, 2).reshape(3, -1) / 255
    assert data.mean == pytest.approx(expected.mean(1), abs=1e-9), (
        "mean of all training images, before the split"
    )
    assert data.std == pytest.approx(expected.std(1), abs=1e-9)
    seen = {
        image.numpy().tobytes() for part in (data.train, data.val) if part for image in everything(part)[0]
    }
    assert seen == {row.reshape(3, 32, 32).tobytes() for row in pixels[:5].reshape(-1, 3072)}
    assert data.classes == tuple(f"class{i}" for i in range(10))


@pytest.mark.parametrize("layout", ["pickled", "binary"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("where", ["itself", "parent", "forced"])
def test_every_layout_reads_alike(
    layout: str, packed: bool, where: str, cifar10_rows: Rows, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    path: Path = request.getfixturevalue(f"{layout}_cifar10")
    if packed:
        (tmp_path / "packed").mkdir()
        name = {"pickled": "cifar-10-python.tar.gz", "binary": "cifar-10-binary.tar.gz"}[layout]
        path = pack(path, tmp_path / "packed" / name)
        before = set(tmp_path.rglob("*"))
    source = {"itself": path, "parent": path.parent, "forced": f"cifar10:{path}"}[where]
    check(load_data(str(source)), cifar10_rows)
    if packed:
        assert set(tmp_path.rglob("*")) == before, "something was extracted"


def test_layouts_of_the_same_images_have_the_same_fingerprint(
    pickled_cifar10: Path, binary_cifar10: Path
) -> None:
    one, other = (load_data(str(path)).identity for path in (pickled_cifar10, binary_cifar10))
    assert one["fingerprint"] == other["fingerprint"] and one["split_sha256"] == other["split_sha256"]


def test_an_archive_may_have_another_name_if_the_kind_is_given(
    pickled_cifar10: Path, cifar10_rows: Rows
) -> None:
    archive = pack(pickled_cifar10, pickled_cifar10.parent / "download.tgz")
    check(load_data(f"cifar10:{archive}"), cifar10_rows)
    with pytest.raises(UsageError, match="cifar10:"):
        load_data(str(archive))
    with pytest.raises(ResiduaError, match="none of its files"):
        load_data(f"cifar100:{archive}")


@pytest.mark.parametrize("binary", [False, True])
def test_cifar_100_reads_its_fine_labels(binary: bool, tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    folder = tmp_path / ("cifar-100-binary" if binary else "cifar-100-python")
    folder.mkdir()
    names = [f"fine{i}" for i in range(100)]
    for name in ("train", "test"):
        rows, fine = random.integers(0, 256, (200, 3072), dtype=np.uint8), np.tile(np.arange(100), 2)
        if binary:
            record = np.concatenate([fine[:, None] // 5, fine[:, None], rows], axis=1).astype(np.uint8)
            (folder / f"{name}.bin").write_bytes(record.tobytes())
        else:
            content = {"fine_labels": fine.tolist(), "coarse_labels": (fine // 5).tolist(), "data": rows}
            (folder / name).write_bytes(pickle.dumps(content, protocol=2))
    if binary:
        (folder / "fine_label_names.txt").write_text("\n".join(names))
    else:
        (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": names}, protocol=2))
    data = load_data(str(tmp_path))
    images, labels = everything(data.test)
    assert data.kind == "cifar100" and data.classes == tuple(names)
    assert labels.tolist() == fine.tolist() and np.array_equal(images.flatten(1).numpy(), rows)


Damage = Callable[[Path], object]


def replace(name: str, content: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(content)


def batch(labels: object, rows: object) -> bytes:
    return pickle.dumps({"labels": labels, "data": rows}, protocol=4)


PIXELS = np.zeros((2, 3072), np.uint8)
BAD_PICKLES: dict[str, tuple[Damage, str]] = {
    "missing": (lambda folder: (folder / "data_batch_3").unlink(), "lacks data_batch_3"),
    "empty": (replace("data_batch_2", b""), "data_batch_2"),
    "truncated": (
        lambda f: replace("data_batch_2", (f / "data_batch_2").read_bytes()[:-5000])(f),
        "data_batch_2",
    ),
    "hostile": (replace("test_batch", b"cos\nsystem\n(U\x04truetR."), "os.system"),
    "other pixels": (replace("test_batch", batch([1, 2], np.zeros((2, 784), np.uint8))), "3072"),
    "labels too many": (replace("test_batch", batch([1, 2, 3], PIXELS)), "labels of shape"),
    "labels too large": (replace("test_batch", batch([1, 10], PIXELS)), "0 to 9"),
    "labels negative": (replace("test_batch", batch([1, -1], PIXELS)), "0 to 9"),
    "labels no numbers": (replace("test_batch", batch(["a", "b"], PIXELS)), "test_batch"),
    "no images": (replace("test_batch", batch([], PIXELS[:0])), "no image"),
    "no keys": (replace("test_batch", pickle.dumps({})), "test_batch"),
    "classes too few": (replace("batches.meta", pickle.dumps({"label_names": ["a"]})), "10 classes"),
    "classes no texts": (replace("batches.meta", pickle.dumps({"label_names": [1] * 10})), "10 classes"),
}


@pytest.mark.parametrize(("damage", "message"), BAD_PICKLES.values(), ids=BAD_PICKLES)
def test_a_bad_file_is_named_in_one_line(damage: Damage, message: str, pickled_cifar10: Path) -> None:
    damage(pickled_cifar10)
    with pytest.raises(ResiduaError, match=message) as refused:
        load_data(str(pickled_cifar10))
    assert "\n" not in str(refused.value) and str(pickled_cifar10) in str(refused.value)


def test_a_truncated_binary_file_is_named(binary_cifar10: Path) -> None:
    path = binary_cifar10 / "data_batch_4.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ResiduaError, match=r"data_batch_4\.bin is truncated"):
        load_data(str(binary_cifar10))
    path.write_bytes(b"")
    with pytest.raises(ResiduaError, match=r"data_batch_4\.bin holds no image"):
        load_data(str(binary_cifar10))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_archive_is_one_line_or_reads_right(
    data: st.DataObject, pickled_cifar10: Path, cifar10_rows: Rows
) -> None:
    archive = pickled_cifar10.parent.parent / "cifar-10-python.tar.gz"
    if not archive.exists():
        pack(pickled_cifar10, archive)
    whole = archive.read_bytes()
    bad = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 2))):
        if bad:
            bad[data.draw(st.integers(0, len(bad) - 1))] ^= data.draw(st.integers(1, 255))
    damaged = archive.with_name("damaged.tar.gz")
    damaged.write_bytes(bytes(bad))
    try:
        load_data(f"cifar10:{damaged}")
    except ResiduaError as error:
        assert "\n" not in str(error) and "damaged.tar.gz" in str(error)


def test_member_names_are_never_used_as_paths(
    pickled_cifar10: Path, cifar10_rows: Rows, tmp_path: Path
) -> None:
    archive = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for path in pickled_cifar10.iterdir():
            tar.add(path, f"../../../x/cifar-10-batches-py/{path.name}")
        link = tarfile.TarInfo("cifar-10-batches-py/test_batch")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    before = set(tmp_path.rglob("*"))
    check(load_data(str(archive)), cifar10_rows)
    assert set(tmp_path.rglob("*")) == before


def test_an_archive_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_ARCHIVE", 1 << 20)
    archive = tmp_path / "cifar-10-python.tar.gz"
    header = tarfile.TarInfo("cifar-10-batches-py/readme.html")
    header.size = 50 << 20
    with gzip.open(archive, "wb") as file:
        file.write(header.tobuf())
        file.write(bytes(50 << 20))
    assert archive.stat().st_size < 1 << 17
    with pytest.raises(ResiduaError, match="unpacks to more than 1 MiB"):
        load_data(str(archive))


def test_too_many_or_too_large_members_are_refused(
    tmp_path: Path, pickled_cifar10: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for i in range(module.MAX_MEMBERS + 1):
            tar.addfile(tarfile.TarInfo(f"x{i}"), io.BytesIO())
    with pytest.raises(ResiduaError, match="over 100 files"):
        load_data(str(archive))
    monkeypatch.setattr(module, "MAX_FILE", 1000)
    for source in (pickled_cifar10, pack(pickled_cifar10, archive)):
        with pytest.raises(ResiduaError, match="larger than any"):
            load_data(str(source))


def test_files_that_are_too_much_together_are_refused(
    binary_cifar10: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_ARCHIVE", 10_000)
    with pytest.raises(ResiduaError, match="is refused: it holds more than 0 MiB"):
        load_data(f"cifar10:{binary_cifar10}")


def test_a_folder_without_cifar_and_another_size_are_refused(tmp_path: Path, binary_cifar10: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no cifar100: it should hold cifar-100-python/"):
        load_data(f"cifar100:{tmp_path}")
    with pytest.raises(UsageError, match="32 px"):
        load_data(DataSpec(source=str(binary_cifar10), image_size=64))


def test_the_real_head_reads_as_numpy_unpickles_it(shared: Path) -> None:
    data = load_data(str(shared / "data" / "cifar10-head"))
    assert (len(data.train) + len(data.val or ()), len(data.test)) == (5085, 1017)
    assert data.classes[0] == "airplane" and data.classes[9] == "truck"
    with (shared / "data/cifar10-head/cifar-10-batches-py/test_batch").open("rb") as file:
        batch = pickle.load(file, encoding="bytes")  # our own file: the reference that we do without
    images, labels = everything(data.test)
    assert np.array_equal(images.flatten(1).numpy(), batch[b"data"]) and labels.tolist() == batch[b"labels"]
