import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from residua.data import ArraySplit, load_data, stratified_split
from residua.data.splits import mean_std
from residua.errors import UsageError


@given(
    st.lists(st.integers(0, 4), max_size=200),
    st.floats(0, 0.99),
    st.integers(0, 2**40),
)
def test_a_stratified_split_divides_every_class(labels: list[int], fraction: float, seed: int) -> None:
    array = np.array(labels, dtype=np.int64)
    rest, part = stratified_split(array, fraction, seed)
    assert sorted([*rest, *part]) == list(range(len(labels)))
    assert list(rest) == sorted(rest) and list(part) == sorted(part)
    for label in set(labels):
        count, taken = labels.count(label), int((array[part] == label).sum())
        assert taken < count, "a class lost its last training image"
        assert not fraction or taken >= min(1, count - 1)
        assert abs(taken - count * fraction) <= 1
    again = stratified_split(array, fraction, seed)
    assert np.array_equal(part, again[1])


def test_a_split_of_cifar_s_size_is_exactly_45_to_5() -> None:
    rest, part = stratified_split(np.tile(np.arange(10), 5000), 0.1, 0)
    assert (len(rest), len(part)) == (45_000, 5_000)
    assert set(np.bincount(np.tile(np.arange(10), 5000)[part])) == {500}


def test_another_seed_splits_otherwise() -> None:
    labels = np.tile(np.arange(10), 50)
    assert not np.array_equal(stratified_split(labels, 0.2, 0)[1], stratified_split(labels, 0.2, 1)[1])


def test_mean_and_std_are_those_of_the_pixels() -> None:
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2500, 3, 4, 4), dtype=np.uint8))
    pixels[:, 2] = 7
    images = pixels.contiguous(memory_format=torch.channels_last)
    labels = np.zeros(2500, np.int64)
    mean, std, seen = mean_std(
        ArraySplit(images, labels, np.arange(100)), ArraySplit(images, labels, np.arange(100, 2500))
    )
    expected = pixels.double().div(255)
    assert seen == 2500
    assert mean == pytest.approx(expected.mean((0, 2, 3)).tolist(), abs=1e-12)
    assert std[:2] == pytest.approx(expected[:, :2].std((0, 2, 3), correction=0).tolist(), abs=1e-12)
    assert std[2] == 1.0  # constant: nothing to divide by


def test_splits_share_their_images_and_read_copies() -> None:
    images = torch.arange(5 * 4, dtype=torch.uint8).view(5, 1, 2, 2)
    split = ArraySplit(images, np.arange(5), np.array([4, 2]), ["a", "b", "c", "d", "e"])
    read, labels = split.read(np.array([1, 0]))
    assert read.flatten().tolist() == [8, 9, 10, 11, 16, 17, 18, 19]
    assert labels.tolist() == [2, 4] and split.labels.tolist() == [4, 2] and split.paths() == ["e", "c"]
    read.zero_()
    assert images[4].sum() > 0


def test_a_peer_s_mean_and_std_replace_the_measured_ones() -> None:
    data = load_data("digits")
    changed = data.normalized_with([0.5], [0.25])
    assert (changed.mean, changed.std, changed.identity["mean"]) == ((0.5,), (0.25,), [0.5])
    assert data.identity["mean"] != [0.5]
    with pytest.raises(UsageError, match="1 numbers"):
        data.normalized_with([0.5, 0.5, 0.5], [1, 1, 1])
    with pytest.raises(UsageError):
        data.normalized_with([0.5], [0.0])


def test_splits_have_names(tmp_path: Path) -> None:
    data = load_data("digits")
    assert data.split("test") is data.test
    with pytest.raises(UsageError, match="'tset'"):
        data.split("tset")
    json.dumps(data.identity, allow_nan=False)
