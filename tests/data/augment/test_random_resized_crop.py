import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from residua.data import load_data
from residua.data.augment.random_resized_crop import RandomResizedCrop, random_resized_crop
from residua.data.batches.geometry import resized_parts
from residua.data.batches.keyed import generator
from residua.data.batches.pipeline import TrainBatches
from residua.data.random_part import random_part
from residua.errors import UsageError


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]), st.integers(0, 99))
def test_parts_are_resized_as_pillow_does(height, width, channels, seed):
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (height, width, channels), dtype=np.uint8)
    x, y, w, h = random_part(width, height, random)
    images = torch.from_numpy(np.stack([255 - pixels, pixels])).permute(0, 3, 1, 2)
    made = resized_parts(images, np.array([(0, 0, width, height), (x, y, w, h)]))
    assert made[0].equal(images[0]), "the whole is what it was"
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    expected = image.resize((width, height), Image.Resampling.BILINEAR, box=(x, y, x + w, y + h))
    difference = made[1].permute(1, 2, 0).numpy().astype(int) - np.asarray(expected).reshape(pixels.shape)
    assert np.abs(difference).max() <= 1, "Pillow rounds after each direction"


def test_what_is_not_uint8_is_not_rounded():
    images = torch.rand(2, 1, 3, 8, 8)
    made = resized_parts(images, np.array([(0, 0, 8, 8), (1, 2, 4, 5)]))
    assert torch.allclose(made[0], images[0], atol=1e-6)
    assert made.dtype == torch.float32 and made.min() >= 0


def test_each_image_shows_a_part_of_its_own():
    ramp = torch.arange(0, 256, 4, dtype=torch.uint8).expand(300, 1, 64, 64)
    made = random_resized_crop(ramp, area=(0.25, 0.25), aspect=(1.0, 1.0), seed=0, step=0).float()
    spread = (made[:, 0, 0, -1] - made[:, 0, 0, 0]) / 4
    assert (spread - 31.5).abs().max() < 1.1, "half of each side"
    assert len(made[:, 0, 0, 0].unique()) > 25


def test_a_streaming_set_is_cropped_once_and_by_the_options(make_folder):
    data = load_data(str(make_folder({"a": 20, "b": 20}, size=(50, 40))), storage="stream")
    options = {"data": data, "batch_size": 8, "seed": 0}

    def first(*augmentation):
        return next(TrainBatches(**options, augmentation=augmentation).epoch(0))[0]

    assert first(RandomResizedCrop()).equal(first()), "as it is decoded anyway"
    whole = RandomResizedCrop(area=(1, 1), aspect=(1.25, 1.25))
    order = data.train.order(generator(0, "order", 0))[:8]
    paths = [data.train.paths()[i] for i in order]
    size = data.shape[-1]
    expected = [
        np.asarray(Image.open(path).resize((size, size), Image.Resampling.BILINEAR)) for path in paths
    ]
    mean, std = (np.array(values) for values in (data.mean, data.std))
    seen = first(whole).permute(0, 2, 3, 1).numpy() * std + mean
    assert np.abs(seen * 255 - np.stack(expected)).max() < 0.01


@pytest.mark.parametrize("options", [{"area": (0.5, 1.5)}, {"aspect": (2, 1)}, {"area": 0.5}])
def test_options_are_refused_in_one_line(options):
    with pytest.raises(UsageError, match="augmentation 'random_resized_crop'"):
        RandomResizedCrop(**options)
