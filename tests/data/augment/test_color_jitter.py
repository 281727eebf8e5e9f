import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance

from residua.data.augment.color_jitter import ColorJitter, color_jitter
from residua.errors import UsageError


def test_factors_are_drawn_for_each_image_between_the_limits():
    images = torch.full((5000, 1, 1, 1), 100, dtype=torch.uint8)
    made = color_jitter(images, {"brightness": (0.6, 1.4)}, seed=0, step=0).flatten().numpy()
    assert made.min() in (60, 61) and made.max() in (139, 140)
    assert np.abs(np.histogram(made, bins=8, range=(60, 140))[0] - 625).max() < 100


def test_operations_come_in_every_order():
    rough = np.random.default_rng(0).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    images = torch.from_numpy(rough).permute(2, 0, 1).expand(200, 3, 6, 6)
    ranges = {"brightness": (1.5, 1.5), "contrast": (0.5, 0.5), "color": (0.5, 0.5)}
    made = color_jitter(images, ranges, seed=0, step=0)
    enhancers = [(ImageEnhance.Brightness, 1.5), (ImageEnhance.Contrast, 0.5), (ImageEnhance.Color, 0.5)]
    expected = set()
    for first in range(3):
        for second in {0, 1, 2} - {first}:
            image = Image.fromarray(rough)
            for number in (first, second, 3 - first - second):
                enhance, factor = enhancers[number]
                image = enhance(image).enhance(factor)
            expected.add(np.asarray(image).tobytes())
    assert {image.permute(1, 2, 0).contiguous().numpy().tobytes() for image in made} == expected
    assert len(expected) > 3


def test_an_amount_of_zero_leaves_an_operation_out(images_of):
    from types import SimpleNamespace

    images, key = images_of(8, 3, 5, 5), SimpleNamespace(seed=0, step=0)
    still = ColorJitter(brightness=0, contrast=0, saturation=0).build(SimpleNamespace(shape=(3, 5, 5)))
    assert still(images, None, key)[0].equal(images)
    turned = ColorJitter(brightness=0, contrast=0, saturation=0, hue=0.5).build(
        SimpleNamespace(shape=(3, 5, 5))
    )
    made = turned(images, None, key)[0]
    assert not made.equal(images)
    assert made.amax(1).equal(images.amax(1)) and made.amin(1).equal(images.amin(1)), (
        "of the same value and chroma"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [({"hue": 0.6}, r"hue must be in \[0, 0.5\]"), ({"contrast": -1}, r"contrast must be in \[0, 255\]")],
)
def test_limits(options, said):
    with pytest.raises(UsageError, match=said):
        ColorJitter(**options)
