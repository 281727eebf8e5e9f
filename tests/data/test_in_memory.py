"""Samples in memory as Data: the scale of rows, what is held out, and that a run on arrays needs them again."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from residua.data import load_data, normalize, same_identity
from residua.data.in_memory import standardisation
from residua.data.sources.arrays import with_classes, with_targets
from residua.errors import UsageError
from residua.spec import DataSpec

ROWS = np.arange(40.0).reshape(20, 2) ** 2
LABELS = np.arange(20) % 2


@given(arrays(np.float64, st.tuples(st.integers(2, 20), st.integers(1, 4)), elements=st.floats(-1e6, 1e6)))
def test_every_column_gets_mean_0_and_deviation_1_or_was_constant(rows):
    mean, std = (np.array(numbers) for numbers in standardisation(rows))
    assert (std > 0).all()
    scaled = (rows - mean) / std
    assert np.isfinite(scaled).all()
    constant = rows.min(0) == rows.max(0)
    assert np.abs(scaled[:, constant]).max(initial=0) < 1e-6
    wide = np.ptp(rows, 0) > 1e-6 * (1 + np.abs(rows).max(0))  # more than rounding
    np.testing.assert_allclose(scaled[:, wide].std(0), 1, rtol=1e-6)


def test_rows_are_scaled_by_the_training_rows_alone():
    data = with_classes(ROWS, LABELS, ("a", "b"), val_fraction=0.3)
    assert (len(data.train), len(data.val), len(data.test)) == (14, 6, 0)
    train, _ = data.train.read(np.arange(14))
    np.testing.assert_allclose(data.mean, train.numpy().mean(0))
    np.testing.assert_allclose(data.std, train.numpy().std(0))
    assert data.shape == (2,)
    assert data.model_changes() == {"num_classes": 2, "in_channels": 2}
    assert [np.bincount(part.labels).tolist() for part in (data.train, data.val)] == [[7, 7], [3, 3]]


def test_the_identity_follows_the_numbers_the_answers_and_the_split():
    data = with_classes(ROWS, LABELS, ("a", "b"), val_fraction=0.3)
    assert (
        same_identity(data.identity, with_classes(ROWS, LABELS, ("a", "b"), val_fraction=0.3).identity)
        is None
    )
    moved = ROWS.copy()
    moved[0, 0] += 1e-9
    for other in (
        with_classes(moved, LABELS, ("a", "b"), val_fraction=0.3),
        with_classes(ROWS, 1 - LABELS, ("a", "b"), val_fraction=0.3),
        with_classes(ROWS, LABELS, ("a", "b"), val_fraction=0.3, split_seed=1),
    ):
        assert same_identity(data.identity, other.identity)


def test_targets_are_scaled_by_their_training_part():
    targets = np.stack([np.arange(20.0), np.full(20, 7.0)], 1)
    data = with_targets(ROWS, targets, val_fraction=0.25)
    train = targets[data.train.labels]
    np.testing.assert_allclose(data.target_mean, train.mean(0))
    assert data.target_std[1] == 1.0  # it is the same everywhere
    batch = next(iter(data.eval_batches("val", 8)))
    np.testing.assert_allclose(
        batch.labels.numpy() * data.target_std + data.target_mean, targets[data.val.labels], rtol=1e-5
    )


def test_large_numbers_lose_nothing_before_they_are_scaled():
    years = torch.tensor([[2_000_000_001.0], [2_000_000_003.0]], dtype=torch.float64)
    scaled = normalize(years, (2_000_000_002.0,), (1.0,))
    assert scaled.dtype == torch.float32
    assert scaled.flatten().tolist() == [-1.0, 1.0]  # float32 would hold neither number


def test_arrays_have_no_place_to_be_loaded_from():
    with pytest.raises(UsageError, match="in the memory of the program that trained on them"):
        load_data("arrays")


def test_the_digits_as_a_table_are_the_digits():
    table, images = load_data("digits-table"), load_data("digits")
    assert table.shape == (64,)
    for name in ("train", "val", "test"):
        rows, labels = getattr(table, name).read(np.arange(5))
        pixels, same = getattr(images, name).read(np.arange(5))
        assert torch.equal(rows, pixels.flatten(1).double())
        assert torch.equal(labels, same)
    assert load_data(DataSpec.of("digits-table").change(val_fraction=0.0)).val is None
