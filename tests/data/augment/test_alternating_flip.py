import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from residua.data import load_data
from residua.data.augment.alternating_flip import AlternatingFlip, alternating_flip
from residua.data.batches.keyed import generator
from residua.data.batches.pipeline import TrainBatches


def epochs(seed: int, count: int, batch_size: int = 16) -> list[dict[bytes, bool]]:
    """Of each epoch, whether each image, known by its pixels, was mirrored."""
    data = load_data("digits")
    data = dataclasses.replace(data, mean=(0.0,), std=(1.0,))
    batches = TrainBatches(data=data, batch_size=batch_size, seed=seed, augmentation=(AlternatingFlip(),))
    known, _ = data.train.read(np.arange(len(data.train)))
    upright = {image.numpy().tobytes(): image.numpy().tobytes() for image in known}
    turned = {image.flip(-1).contiguous().numpy().tobytes(): image.numpy().tobytes() for image in known}
    seen = []
    for epoch in range(count):
        seen.append({})
        for images, _ in batches.epoch(epoch):
            for image in (images * 255).round().byte():
                pixels = image.contiguous().numpy().tobytes()
                seen[-1][(upright | turned)[pixels]] = pixels not in upright
    return seen


def test_each_image_is_turned_from_epoch_to_epoch():
    first, second, third, fourth = epochs(0, 4)
    assert 0.4 < np.mean(list(first.values())) < 0.6
    both = first.keys() & second.keys()
    assert len(both) > 1000
    assert all(first[image] != second[image] for image in both)
    assert all(first[image] == third[image] for image in first.keys() & third.keys())
    assert all(second[image] == fourth[image] for image in second.keys() & fourth.keys())


def test_the_batch_size_changes_nothing_and_the_seed_does():
    (small,), (large,), (other,) = epochs(0, 1), epochs(0, 1, batch_size=100), epochs(1, 1)
    assert all(small[image] == large[image] for image in small.keys() & large.keys())
    assert 0.3 < np.mean([small[image] != other[image] for image in small.keys() & other.keys()]) < 0.7


@pytest.mark.parametrize("shape", [(4, 3, 2, 3), (4, 1, 2, 2, 3)])
def test_even_epochs_mirror_the_first_and_odd_ones_the_others(images_of, shape):
    images, first = images_of(*shape), np.array([True, False, False, True])
    for epoch, turned in ((0, first), (1, ~first), (2, first)):
        expected = torch.stack(
            [image.flip(-1) if turn else image for image, turn in zip(images, turned, strict=True)]
        )
        assert alternating_flip(images, first=first, epoch=epoch).equal(expected)


def test_files_that_cannot_be_read_leave_the_others_as_they_are(make_folder):
    data = load_data(str(make_folder({"a": 20, "b": 20})), storage="stream")
    batches = TrainBatches(data=data, batch_size=28, seed=0, augmentation=(AlternatingFlip(),))
    ((whole, _),) = batches.epoch(0)
    fourth = data.train.order(generator(0, "order", 0))[3]
    Path(data.train.paths()[fourth]).write_bytes(b"")
    ((rest, _),) = batches.epoch(0)
    assert rest.equal(torch.cat([whole[:3], whole[4:]]))
