import dataclasses
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from residua.data import Data, TrainBatches, crop_flip, eval_batches, load_data, normalize
from residua.data.augment.crop_flip import CropFlip
from residua.data.batches.keyed import generator
from residua.errors import ResiduaError, UsageError
from residua.spec import DataSpec

Pairs = list[tuple[torch.Tensor, torch.Tensor]]


@pytest.fixture
def digits() -> Data:
    return load_data("digits")


@pytest.fixture(params=["memory", "stream"])
def folder(request: pytest.FixtureRequest, make_folder) -> Data:
    return load_data(str(make_folder({"a": 20, "b": 20})), storage=request.param)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    deadline = time.monotonic() + 5
    while any(thread.name.startswith("residua-batches") for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "a thread that reads ahead was left running"
        time.sleep(0.01)


def batches(data: Data, **changes: object) -> TrainBatches:
    crop = CropFlip(pad=changes.pop("pad", 2), flip=changes.pop("flip", True))  # type: ignore[arg-type]
    options = {"data": data, "batch_size": 8, "seed": 0, "augmentation": (crop,)}
    return TrainBatches(**{**options, **changes})  # type: ignore[arg-type]


def equal(one: Pairs, other: Pairs) -> bool:
    return len(one) == len(other) and all(
        a.equal(c) and b.equal(d) for (a, b), (c, d) in zip(one, other, strict=True)
    )


def test_an_epoch_shows_each_image_at_most_once(digits: Data) -> None:
    small = batches(digits, batch_size=100, pad=0, flip=False)
    assert small.steps_per_epoch == 12 and len(digits.train) == 1293
    images, labels = (torch.cat(part) for part in zip(*small.epoch(0), strict=True))
    assert len(images) == 1200
    every = normalize(digits.train.read(np.arange(1293))[0], digits.mean, digits.std)
    known = {
        image.numpy().tobytes(): int(label) for image, label in zip(every, digits.train.labels, strict=True)
    }
    assert all(
        known[image.numpy().tobytes()] == label for image, label in zip(images, labels.tolist(), strict=True)
    )
    order = generator(0, "order", 0).permutation(1293)[:1200]
    assert labels.tolist() == digits.train.labels[order].tolist()


def test_images_are_augmented_normalised_and_channels_last(folder: Data) -> None:
    for images, labels in batches(folder).epoch(0):
        assert images.dtype == torch.float32 and labels.dtype == torch.int64
        assert images.shape == (8, 3, 20, 20) and images.is_contiguous(memory_format=torch.channels_last)
    flat = batches(folder, memory_format=torch.contiguous_format)
    assert all(images.is_contiguous() for images, _ in flat.epoch(0))


def test_the_step_of_the_whole_training_keys_the_augmentation(digits: Data) -> None:
    plain, cropped = batches(digits, pad=0, flip=False), batches(digits, pad=1, flip=True)
    order = generator(0, "order", 2).permutation(len(digits.train))
    for i, (images, _) in enumerate(cropped.epoch(2)):
        read, _ = digits.train.read(order[i * 8 : i * 8 + 8])
        step = 2 * plain.steps_per_epoch + i
        expected = normalize(crop_flip(read, pad=1, flip=True, seed=0, step=step), digits.mean, digits.std)
        assert images.equal(expected)


@pytest.mark.parametrize("start", [0, 1, 3])
def test_a_resumed_epoch_goes_on_with_the_same_batches(start: int, folder: Data) -> None:
    stream = batches(folder)
    whole = list(stream.epoch(3))
    assert equal(list(stream.epoch(3, start)), whole[start:])
    assert equal(list(batches(folder).epoch(3)), whole)
    assert not equal(list(stream.epoch(4)), whole)
    assert not equal(list(batches(folder, seed=1).epoch(3)), whole)
    assert list(stream.epoch(0, stream.steps_per_epoch)) == []


def test_a_limit_ends_each_epoch_with_the_same_first_batches(folder: Data) -> None:
    assert len(folder.train) == 28
    limited = batches(folder, limit=2)
    assert limited.steps_per_epoch == 2 and equal(list(limited.epoch(0)), list(batches(folder).epoch(0))[:2])
    assert batches(folder, limit=99).steps_per_epoch == 3


def test_a_set_smaller_than_a_batch_is_one_batch(folder: Data) -> None:
    stream = batches(folder, batch_size=500)
    ((images, labels),) = stream.epoch(0)
    assert stream.steps_per_epoch == 1 and len(images) == len(labels) == 28


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_evaluation_sees_every_image_in_order(split: str, folder: Data) -> None:
    part = folder.split(split)
    seen = list(eval_batches(folder, split, 5))
    assert np.concatenate([batch.positions for batch in seen]).tolist() == list(range(len(part)))
    expected = normalize(part.read(np.arange(len(part)))[0], folder.mean, folder.std)
    assert torch.cat([batch.images for batch in seen]).equal(expected)
    assert torch.cat([batch.labels for batch in seen]).tolist() == part.labels.tolist()
    assert len(list(eval_batches(folder, split, 2, limit=1))) == 1


def test_an_unreadable_file_is_missing_from_evaluation(make_folder) -> None:
    root = make_folder({"train/a": 4, "train/b": 4, "test/a": 4, "test/b": 4})
    data = load_data(str(root))
    (root / "test/a/002.png").write_bytes(b"")
    seen = list(eval_batches(data, "test", 3))
    assert np.concatenate([batch.positions for batch in seen]).tolist() == [0, 1, 3, 4, 5, 6, 7]
    assert set(data.test.left_out) == {2}
    for path in (root / "test").rglob("*.png"):
        path.write_bytes(b"")
    assert list(eval_batches(data, "test", 3)) == []


def test_a_missing_part_is_one_line(make_folder) -> None:
    data = load_data(DataSpec(val_fraction=0))
    with pytest.raises(UsageError, match="has no val part"):
        list(eval_batches(data, "val", 8))


@pytest.fixture
def streaming(make_folder) -> Data:
    return load_data(str(make_folder({"a": 60, "b": 60})), storage="stream")


def test_reading_ahead_ends_when_the_consumer_does(streaming: Data) -> None:
    stream = batches(streaming, batch_size=4)
    iterator = stream.epoch(0)
    next(iterator)
    assert any(thread.name.startswith("residua-batches") for thread in threading.enumerate())
    iterator.close()  # type: ignore[attr-defined]
    for _ in stream.epoch(0):
        break
    with pytest.raises(RuntimeError, match="in the loop"):
        for _ in eval_batches(streaming, "train", 4):
            raise RuntimeError("in the loop")


def test_reading_ahead_is_bounded(streaming: Data) -> None:
    read = []

    class Counting:
        labels, left_out = streaming.train.labels, streaming.train.left_out

        def __len__(self) -> int:
            return len(streaming.train)

        def paths(self) -> None:
            return None

        def read(self, positions: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
            read.append(len(positions))
            return streaming.train.read(positions)

        read_augmented = lambda self, positions, *how: self.read(positions)  # noqa: E731
        order = lambda self, random: random.permutation(len(self))  # noqa: E731
        sample = None

    iterator = batches(dataclasses.replace(streaming, train=Counting()), batch_size=4).epoch(0)
    next(iterator)
    time.sleep(0.2)
    assert 1 <= len(read) <= 5
    iterator.close()  # type: ignore[attr-defined]


def test_a_batch_without_a_readable_file_ends_the_run_in_one_line(streaming: Data) -> None:
    for path in streaming.train.paths() or []:
        Path(path).write_bytes(b"")
    with pytest.raises(ResiduaError, match="none of the 4 files"):
        list(batches(streaming, batch_size=4).epoch(0))


def test_one_bad_file_makes_its_batch_smaller(streaming: Data) -> None:
    path = Path((streaming.train.paths() or [])[5])
    path.write_bytes(b"")
    sizes = [len(labels) for _, labels in batches(streaming, batch_size=len(streaming.train)).epoch(0)]
    assert sizes == [len(streaming.train) - 1] and set(streaming.train.left_out) == {5}
