"""What a program hands to ``fit``: arrays, Datasets and DataLoaders, through one door."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from residua.data import data_of, same_identity
from residua.data.arrays import array_data
from residua.errors import ResiduaError, UsageError
from residua.train import fit, resume

X = np.random.default_rng(0).integers(0, 256, (60, 12, 12, 3), np.uint8)
Y = np.arange(60) % 3


class Photos(Dataset):
    """As torchvision's: Pillow images or what ToTensor makes of them, with ``targets`` and ``classes``."""

    classes = ("ant", "bee", "cat")

    def __init__(self, how="pillow"):
        self.how, self.read, self.targets = how, 0, Y.tolist()

    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        self.read += 1
        if self.how == "tensor":
            return torch.from_numpy(X[i]).permute(2, 0, 1).float() / 255, int(Y[i])
        if self.how == "mapping":
            return {"image": Image.fromarray(X[i]), "label": torch.tensor(int(Y[i]))}
        if self.how == "normalized":
            return torch.from_numpy(X[i]).permute(2, 0, 1).float() / 60 - 2, int(Y[i])
        if self.how == "random":
            return X[i] ^ np.uint8(self.read), int(Y[i])
        if self.how == "raises" and i == 7:
            raise ValueError("no such file")
        return Image.fromarray(X[i]), int(Y[i])


class Streamed(IterableDataset):
    def __init__(self, *, shuffled=False):
        self.shuffled, self.passes = shuffled, 0

    def __iter__(self):
        self.passes += 1
        order = np.random.default_rng(self.passes if self.shuffled else 0).permutation(60)
        return ((X[i], int(Y[i])) for i in order)


def pixels(data, part="train"):
    images, labels = data.split(part).read(np.arange(len(data.split(part))))
    return {(image.numpy().tobytes(), int(label)) for image, label in zip(images, labels, strict=True)}


ARRAYS = {
    "NHWC": (X, Y),
    "NCHW": (X.transpose(0, 3, 1, 2), Y),
    "tensors": (torch.from_numpy(X), torch.from_numpy(Y)),
    "texts": (X, np.array(["a", "b", "c"])[Y]),
    "small numbers": (X, Y.astype(np.uint8)),
}


@pytest.mark.parametrize("given", ARRAYS.values(), ids=ARRAYS)
def test_arrays_are_the_same_data_however_they_lie(given):
    data, plain = data_of(given), data_of((X, Y))
    assert data.identity["counts"] == {"train": 42, "val": 6, "test": 12}
    assert [pixels(data, part) for part in ("train", "val", "test")] == [
        pixels(plain, part) for part in ("train", "val", "test")
    ]
    assert data.identity["fingerprint"] == plain.identity["fingerprint"]
    assert data.shape == (3, 12, 12) and data.pad == 1 and not data.flip


def test_a_test_set_of_ones_own_and_names():
    data = data_of((X[:40], Y[:40]), test=(X[40:], Y[40:]), classes=("ant", "bee", "cat"), val_fraction=0)
    assert data.classes == ("ant", "bee", "cat") and data.val is None
    assert pixels(data, "test") == {
        (x.transpose(2, 0, 1).tobytes(), y) for x, y in zip(X[40:], Y[40:], strict=True)
    }
    assert data.identity["splits"]["test"] == "the test images given"
    with pytest.raises(UsageError, match="label 2 is none of the 2 classes"):
        data_of((X, Y), classes=("ant", "bee"))
    with pytest.raises(UsageError, match=r"label 5 is none"):
        data_of((X, Y), test=(X[:1], [5]))
    with pytest.raises(UsageError, match=r"\(12, 12, 3\), those to test on \(8, 8, 3\)"):
        data_of((X, Y), test=(X[:, :8, :8], Y))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y * 1.0, "not float64; numbers to predict"),
        (np.eye(3)[Y], r"one-hot labels are y.argmax\(1\)"),
        (Y[:50], r"each of the 60 images, not \(50,\)"),
        (np.zeros(60, int), "images of 1 classes"),
        (np.array(["a", None] * 30, object), "a whole number or a text"),
    ],
)
def test_labels_that_are_none_are_one_line(y, message):
    with pytest.raises(UsageError, match=message):
        data_of((X, y))


def test_an_array_in_a_file_is_not_copied_into_memory(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    seen = []
    monkeypatch.setattr(
        "residua.data.given.array_data", lambda *a, **k: seen.append(k["images"]) or array_data(*a, **k)
    )
    data = data_of((mapped, Y))
    assert seen[0].data_ptr() == mapped.ctypes.data
    assert data.train._pixels.data_ptr() == mapped.ctypes.data and pixels(data) == pixels(data_of((X, Y)))


@pytest.mark.parametrize("how", ["pillow", "tensor", "mapping"])
def test_a_dataset_gives_its_images_and_the_names_of_its_classes(how):
    data = data_of(Photos(how))
    assert data.classes == ("ant", "bee", "cat") and data.identity["path"] is None and not data.flip
    assert all(pixels(data, part) == pixels(data_of((X, Y)), part) for part in ("train", "val", "test"))
    assert data.identity["fingerprint"] == data_of(Photos()).identity["fingerprint"]


def test_the_labels_of_a_dataset_are_not_read_from_its_images_where_it_lists_them():
    listed, unlisted = Photos(), Photos()
    del unlisted.targets
    for dataset in (listed, unlisted):
        data_of(dataset)
    assert unlisted.read - listed.read >= 50
    listed.targets = [0] * 60  # a list that is not what its samples say
    assert data_of(listed).identity["fingerprint"] == data_of(unlisted).identity["fingerprint"]


def test_a_dataloader_gives_its_dataset_and_says_so(caplog):
    data = data_of(DataLoader(Photos(), batch_size=7, shuffle=True))
    assert pixels(data) == pixels(data_of(Photos()))
    assert "its order, batch size, workers and collate_fn are not" in caplog.text


def test_an_iterable_is_held_if_it_can_be_repeated_else_refused():
    data = data_of(Streamed())
    everything = set().union(*(pixels(data, part) for part in ("train", "val", "test")))
    assert everything == set().union(*(pixels(data_of((X, Y)), part) for part in ("train", "val", "test")))
    assert (
        data_of(DataLoader(Streamed(), batch_size=2)).identity["fingerprint"] == data.identity["fingerprint"]
    )
    with pytest.raises(UsageError, match="a second pass over the iterable Dataset gave another sample 0"):
        data_of(Streamed(shuffled=True))


def test_an_iterable_without_an_end_is_refused(monkeypatch):
    class Endless(IterableDataset):
        def __iter__(self):
            while True:
                yield X[0], 0

    monkeypatch.setattr("residua.data.torch_datasets.NEVER_FITS", 1 << 20)
    with pytest.raises(UsageError, match="held in memory, and this one has more than 1 MiB"):
        data_of(Endless())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Photos("random"), "two readings of sample 0 of the train Dataset differ: leave its random"),
        (Photos("normalized"), "not made of 256 levels: give the Dataset without Normalize"),
        (TensorDataset(torch.from_numpy(X)), r"sample 0 is a tuple, not \(image, label\)"),
        (
            TensorDataset(torch.from_numpy(X), torch.eye(3)[torch.from_numpy(Y)]),
            r"label of sample 0 has the shape",
        ),
        (TensorDataset(torch.zeros(4, 2, 2, 2), torch.arange(4)), r"neither \(H, W\), \(H, W, C\)"),
        ([], "has no sample"),
        ([("cat.jpg", 0)], "image of sample 0 is a str"),
        (42, "not a int"),
        ((Photos(), Photos()), r"data_of\(train, test=\.\.\.\)"),
        (X, "not a ndarray"),
        ("cats", "not a str"),
    ],
)
def test_what_cannot_be_trained_on_is_one_line(given, message):
    with pytest.raises(UsageError, match=message) as refused:
        data_of(given)
    assert "\n" not in str(refused.value)


def test_a_dataset_of_ones_own_to_test_on():
    data = data_of(Photos(), test=Photos("tensor"), val_fraction=0)
    assert data.identity["counts"] == {"train": 60, "test": 60} and pixels(data, "test") == pixels(data)
    assert data.identity["splits"]["test"] == "the test Dataset"


def test_a_sample_that_its_dataset_cannot_give_is_left_out_and_listed():
    data = data_of(Photos("raises"))
    assert [entry["path"] for entry in data.identity["skipped"]] == ["train/7"]
    assert "ValueError: no such file" in data.identity["skipped"][0]["reason"]

    class Broken(Photos):
        def __getitem__(self, i):
            raise KeyError(i)

    with pytest.raises(ResiduaError, match="sample 0 cannot be read: the Dataset raised KeyError"):
        data_of(Broken())


def test_a_large_dataset_is_read_as_it_is_needed(monkeypatch):
    monkeypatch.setattr("residua.data.encoded.SURELY_FITS", 1)
    monkeypatch.setattr("residua.data.encoded.NEVER_FITS", 1)
    data = data_of(Photos())
    assert data.identity["storage"] == "stream" and pixels(data) == pixels(data_of((X, Y)))
    images, _ = data.train.read_augmented(np.arange(4), (0, 0))
    assert images.shape == (4, 3, 12, 12)


def test_fit_takes_a_pair_and_resume_wants_the_same_one(tmp_path):
    how = {"progress": False, "compile": "off", "limit_batches": 1}
    run = fit(
        "cifar_resnet8",
        (X, Y),
        run_dir=tmp_path / "run",
        recipe_changes={"epochs": 1, "batch_size": 8},
        **how,
    )
    assert run.data["source"] == "arrays" and run.result["test_images"] == 12
    longer = resume(run, epochs=2, data=(torch.from_numpy(X), Y), progress=False)
    assert longer.result["epochs"] == 2
    with pytest.raises(ResiduaError, match="fingerprint differs"):
        resume(run, epochs=3, data=(255 - X, Y), progress=False)
    assert same_identity(run.data, data_of((X, Y)).identity) is None
