import os
import struct
import tracemalloc

import numpy as np
import pytest
import torch

from residua.data import load_data, normalize, same_identity
from residua.data.image import BadImage
from residua.data.volume_files import open_volume, volume_of
from residua.errors import ResiduaError, UsageError
from residua.spec import DataSpec
from residua.train.recipes import recipe


@pytest.fixture
def make_volumes(tmp_path):
    def make(counts, shape=(4, 6, 5), dtype="float32", root="set"):
        random = np.random.default_rng(0)
        for name, count in counts.items():
            (tmp_path / root / name).mkdir(parents=True)
            for i in range(count):
                np.save(tmp_path / root / name / f"{i:02}.npy", random.uniform(0, 200, shape).astype(dtype))
        return tmp_path / root

    return make


def _all(data, split):
    part = data.split(split)
    return part.read(np.arange(len(part)))


def test_arrays_are_read_as_they_are_stored(make_volumes):
    root = make_volumes({"train/a": 3, "train/b": 3, "test/a": 2, "test/b": 2})
    data = load_data(DataSpec(source=f"volumes:{root}", val_fraction=0))
    volumes, labels = _all(data, "test")
    assert data.classes == ("a", "b") and data.shape == (1, 4, 6, 5) and data.val is None
    assert labels.tolist() == [0, 0, 1, 1] and volumes.dtype == torch.float32
    assert torch.equal(volumes[3, 0], torch.from_numpy(np.load(root / "test/b/01.npy")))
    assert data.test.paths()[3] == str(root / "test/b/01.npy")


@pytest.mark.parametrize("dtype", ["uint8", "float32", "int16", "float64"])
@pytest.mark.parametrize("shape", [(4, 6, 6), (2, 4, 6, 6)])
def test_normalised_training_volumes_have_mean_0_and_std_1(make_volumes, dtype, shape):
    root = make_volumes({"a": 8, "b": 8}, shape, dtype)
    data = load_data(DataSpec(source=f"volumes:{root}", val_fraction=0))
    assert (_all(data, "train")[0].dtype == torch.uint8) == (dtype == "uint8")
    values = normalize(_all(data, "train")[0], data.mean, data.std).transpose(0, 1).flatten(1)
    assert torch.allclose(values.mean(1), torch.zeros(len(values)), atol=1e-4)
    assert torch.allclose(values.std(1), torch.ones(len(values)), atol=1e-2)


def test_a_folder_without_parts_is_split_alike_every_time(make_volumes):
    root = make_volumes({"a": 10, "b": 10})
    first, again = (load_data(f"volumes:{root}") for _ in range(2))
    assert same_identity(first.identity, again.identity) is None
    assert {name: len(first.split(name)) for name in ("train", "val", "test")} == {
        "train": 14,
        "val": 2,
        "test": 4,
    }
    np.save(root / "a" / "00.npy", np.zeros((4, 6, 5), np.float32))
    assert "fingerprint" in str(same_identity(first.identity, load_data(f"volumes:{root}").identity))


def test_bad_files_are_named_and_left_out(make_volumes, caplog):
    root = make_volumes({"train/a": 4, "train/b": 4, "test/a": 2, "test/b": 2})
    np.save(root / "train/a/00.npy", np.array([{"os": "system"}]), allow_pickle=True)
    (root / "train/a/01.npy").write_bytes((root / "train/a/02.npy").read_bytes()[:-8])
    np.save(root / "train/b/00.npy", np.zeros((2, 2)))
    np.save(root / "train/b/01.npy", np.full((4, 6, 5), np.nan))
    data = load_data(DataSpec(source=f"volumes:{root}", val_fraction=0))
    reasons = {entry["path"]: entry["reason"] for entry in data.identity["skipped"]}
    assert reasons == {
        "train/a/00.npy": "it is no .npy file, or holds pickled objects",
        "train/a/01.npy": "it is damaged",
        "train/b/00.npy": "its shape is 2x2, not D x H x W or C x D x H x W",
    }
    assert len(_all(data, "train")[1]) == 4  # the one that is not finite is found when it is read
    assert [data.train.paths()[i][-14:] for i in data.train.left_out] == ["train/b/01.npy"]
    assert "skipped train/b/01.npy: it holds numbers that are not finite" in caplog.text
    with pytest.raises(BadImage, match=r"00\.npy: it is no \.npy file"):
        load_data(DataSpec(source=f"volumes:{root}", strict=True))


def test_shapes_must_agree_and_the_line_names_two_that_do_not(make_volumes):
    root = make_volumes({"a": 4, "b": 4})
    np.save(root / "b" / "03.npy", np.zeros((4, 6, 6), np.float32))
    with pytest.raises(ResiduaError, match=r"one shape: a/00\.npy is 1x4x6x5, b/03\.npy is 1x4x6x6"):
        load_data(f"volumes:{root}")


@pytest.mark.parametrize(
    ("counts", "message"),
    [({"a": 4}, "1 class folders with volumes"), ({"a": 4, "b": 0}, "b/ holds none")],
)
def test_a_folder_needs_two_classes_of_volumes(make_volumes, counts, message):
    with pytest.raises(ResiduaError, match=message):
        load_data(f"volumes:{make_volumes(counts)}")


def test_there_is_no_other_size(make_volumes):
    with pytest.raises(UsageError, match="volumes keep their size"):
        load_data(DataSpec(source=f"volumes:{make_volumes({'a': 2, 'b': 2})}", image_size=8))


def test_batches_crop_all_slices_alike(make_volumes):
    root = make_volumes({"a": 6, "b": 6}, (3, 8, 8))
    for path in root.rglob("*.npy"):
        np.save(path, np.broadcast_to(np.load(path)[:1], (3, 8, 8)))  # equal slices stay equal
    data = load_data(f"volumes:{root}")
    batches = data.train_batches(recipe("quick", batch_size=4, pad=2, flip=True), seed=0)
    volumes, _ = next(batches.epoch(0))
    assert volumes.shape == (4, 1, 3, 8, 8)
    assert torch.equal(volumes[:, :, 0], volumes[:, :, 2])
    plain, _ = next(data.train_batches(recipe("quick", batch_size=4, pad=0), seed=0).epoch(0))
    assert not torch.equal(plain, volumes)


def npy(shape, descr="<f4"):
    """A ``.npy`` file that claims a shape and holds nothing of it."""
    header = str({"descr": descr, "fortran_order": False, "shape": shape}).encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((1 << 20, 1 << 10, 1 << 10), "damaged"),
        ((1 << 60, 1 << 60, 1 << 60), "damaged"),
        ((-1, 4, 4), "damaged|its shape"),
        ((4, 4), "not D x H x W"),
    ],
)
def test_a_header_that_claims_more_than_the_file_holds_costs_nothing(tmp_path, shape, reason):
    path = tmp_path / "claims.npy"
    path.write_bytes(npy(shape) + bytes(64))
    with pytest.raises(BadImage, match=reason):
        open_volume(path)


def test_a_sparse_file_of_any_size_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "sparse.npy"
    with path.open("wb") as file:
        file.write(npy((1 << 10, 1 << 10, 1 << 10)))
        file.truncate(file.tell() + (4 << 30))
    with pytest.raises(BadImage, match="1024x1024x1024: a volume has 134,217,728 numbers at most"):
        open_volume(path)


def test_a_volume_of_another_shape_is_refused_before_it_is_copied():
    tracemalloc.start()
    try:
        with pytest.raises(BadImage, match="its shape is 1x256x256x512, not 1x4x4x4"):
            volume_of(np.broadcast_to(np.float32(0), (256, 256, 512)), (1, 4, 4, 4), "x", bytes=False)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_pipe_among_the_volumes_is_left_out(make_volumes):
    root = make_volumes({"a": 5, "b": 5})
    os.mkfifo(root / "a" / "pipe.npy")
    data = load_data(f"volumes:{root}")
    assert data.identity["skipped"] == [{"path": "a/pipe.npy", "reason": "not a regular file"}]
