import numpy as np
import pytest

from residua.data import load_data
from residua.data.sources.digits import FILE
from residua.errors import UsageError
from residua.spec import DataSpec


def test_the_shipped_digits_are_the_uci_ones() -> None:
    with np.load(FILE, allow_pickle=False) as file:
        images, labels, test, folds = (file[name] for name in ("images", "labels", "test_indices", "folds"))
    assert images.shape == (1797, 8, 8) and images.dtype == np.uint8 and images.max() == 16
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert images[0, 0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0] and labels[0] == 0
    assert np.array_equal(test, np.flatnonzero(folds == 0)) and len(test) == 360


def test_the_five_folds_are_stratified_and_cover_the_set() -> None:
    with np.load(FILE, allow_pickle=False) as file:
        labels, folds = file["labels"], file["folds"]
    for fold in range(5):
        counts = np.bincount(labels[folds == fold], minlength=10)
        assert np.abs(counts - np.bincount(labels) / 5).max() < 1
    parts = [load_data(f"digits:fold={k}").identity for k in range(5)]
    assert sum(part["counts"]["test"] for part in parts) == 1797
    assert len({part["split_sha256"] for part in parts}) == 5
    assert len({part["fingerprint"]["sha256"] for part in parts}) == 1


def test_the_default_is_fold_0_and_the_same_for_every_split_seed() -> None:
    default, fold = load_data("digits"), load_data("digits:fold=0")
    other = load_data(DataSpec(split_seed=5))
    everything = np.arange(360)
    for data in (fold, other):
        assert data.test.read(everything)[0].equal(default.test.read(everything)[0])
    assert not np.array_equal(other.train.labels, default.train.labels)


def test_digits_are_served_as_uint8_and_keep_their_habits() -> None:
    data = load_data("digits")
    images, labels = data.train.read(np.arange(len(data.train)))
    assert images.shape[1:] == data.shape == (1, 8, 8) and str(images.dtype) == "torch.uint8"
    assert images.max() == 255 and set(images.unique().tolist()) <= {v * 255 // 16 for v in range(17)}
    assert (data.pad, data.flip, data.classes) == (1, False, tuple("0123456789"))
    assert len(data.train) + len(data.val or ()) + len(data.test) == 1797
    assert labels.numpy().tolist() == data.train.labels.tolist() and data.train.paths() is None


@pytest.mark.parametrize(
    "source", ["digits:fold=5", "digits:fold=-1", "digits:fold", "digits:/tmp", "digits:fold=1.0"]
)
def test_another_option_is_one_line(source: str) -> None:
    with pytest.raises(UsageError, match=r"fold must be (from 0 to 4|a whole number), not"):
        load_data(source)


def test_digits_have_one_size_and_may_go_without_validation() -> None:
    with pytest.raises(UsageError, match="8 px"):
        load_data(DataSpec(image_size=32))
    assert load_data(DataSpec(val_fraction=0.0)).val is None
