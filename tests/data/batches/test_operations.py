"""Every operation against Pillow's, and against torchvision's where that can be imported."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps

from residua.data.batches.operations import OPERATIONS, applied


def photo_like(seed: int, channels: int, height: int, width: int) -> np.ndarray:
    """Pixels uint8 (H, W, C) that are neither noise nor flat: some levels only, some channels darker."""
    random = np.random.default_rng(seed)
    rough = random.integers(0, 256, (height // 3 + 1, width // 3 + 1, channels))
    smooth = np.kron(rough, np.ones((3, 3, 1)))[:height, :width]
    return (
        (smooth * random.uniform(0.3, 1, channels) + random.integers(0, 9, smooth.shape))
        .clip(0, 255)
        .astype("u1")
    )


def done(name: str, pixels: np.ndarray, amount: float) -> np.ndarray:
    """An operation as uint8 (H, W, C), done to the image as the second of a batch of three."""
    batch = np.stack([255 - pixels, pixels, pixels[::-1]])
    images = torch.from_numpy(batch).permute(0, 3, 1, 2)
    made = OPERATIONS[name](
        images, np.array([0.5, amount, 1.0]) if name != "posterize" else np.array([8, amount, 1])
    )
    assert made.shape == images.shape and made.dtype == torch.uint8
    return made[1].permute(1, 2, 0).numpy()


def affine(
    a: float, b: float, c: float, d: float, e: float, f: float
) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.transform(image.size, Image.Transform.AFFINE, (a, b, c, d, e, f))


# What Pillow does, by operation: a function of the amount that gives a function of the image.
PILLOW: dict[str, Callable[[float], Callable[[Image.Image], Image.Image]]] = {
    "brightness": lambda amount: lambda image: ImageEnhance.Brightness(image).enhance(amount),
    "color": lambda amount: lambda image: ImageEnhance.Color(image).enhance(amount),
    "contrast": lambda amount: lambda image: ImageEnhance.Contrast(image).enhance(amount),
    "sharpness": lambda amount: lambda image: ImageEnhance.Sharpness(image).enhance(amount),
    "posterize": lambda amount: lambda image: ImageOps.posterize(image, int(amount)),
    "solarize": lambda amount: lambda image: ImageOps.solarize(image, amount),  # type: ignore[arg-type]
    "autocontrast": lambda amount: ImageOps.autocontrast,
    "equalize": lambda amount: ImageOps.equalize,
    "invert": lambda amount: ImageOps.invert,
    "shear_x": lambda amount: affine(1, amount, 0, 0, 1, 0),
    "shear_y": lambda amount: affine(1, 0, 0, amount, 1, 0),
    "translate_x": lambda amount: affine(1, 0, -int(amount), 0, 1, 0),
    "translate_y": lambda amount: affine(1, 0, 0, 0, 1, -int(amount)),
    "rotate": lambda amount: lambda image: image.rotate(amount),
}
AMOUNTS = {
    **dict.fromkeys(("brightness", "color", "contrast", "sharpness"), st.floats(0, 2, width=32)),
    "posterize": st.integers(1, 8),
    "solarize": st.floats(0, 256, width=32, allow_subnormal=False),
    **dict.fromkeys(("autocontrast", "equalize", "invert"), st.just(0.0)),
    **dict.fromkeys(("shear_x", "shear_y"), st.floats(-1, 1)),
    **dict.fromkeys(("translate_x", "translate_y"), st.floats(-40, 40)),
    "rotate": st.floats(-180, 180),
}
# Nearest pixels: where a place falls on the line between two, Pillow's 16 fractional bits may choose the other one.
MOVES = {"shear_x", "shear_y", "rotate"}


@pytest.mark.parametrize("name", PILLOW)
@settings(max_examples=30)
@given(st.data(), st.sampled_from([1, 3]), st.integers(1, 33), st.integers(1, 33), st.integers(0, 99))
def test_it_is_pillows(name, data, channels, height, width, seed):
    pixels = photo_like(seed, channels, height, width)
    amount = data.draw(AMOUNTS[name])
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    expected = np.asarray(PILLOW[name](amount)(image)).reshape(pixels.shape)
    made = done(name, pixels, amount)
    if name in MOVES:
        assert (made != expected).any(2).sum() <= max(1, 0.02 * height * width)
    else:
        assert np.array_equal(made, expected)


@settings(max_examples=30)
@given(st.integers(0, 99), st.floats(-0.5, 0.5))
def test_hues_turn_as_colorsys_has_them(seed, turn):
    pixels = photo_like(seed, 3, 4, 5)
    made = done("hue", pixels, turn)
    for (r, g, b), found in zip(pixels.reshape(-1, 3) / 255, made.reshape(-1, 3), strict=True):
        h, s, v = colorsys.rgb_to_hsv(r, g, b)
        expected = 255 * np.array(colorsys.hsv_to_rgb((h + turn) % 1, s, v))
        assert np.abs(found - expected).max() < 0.51


def test_grey_images_have_no_hue_and_no_saturation():
    pixels = photo_like(0, 1, 6, 6)
    for name in ("hue", "color"):
        assert np.array_equal(done(name, pixels, 0.4), pixels)


@pytest.mark.parametrize(
    ("name", "same"), [("translate_x_rel", "translate_x"), ("translate_y_rel", "translate_y")]
)
def test_a_share_of_the_side_is_so_many_pixels(name, same):
    pixels = photo_like(0, 3, 20, 40)
    side = 40 if "x" in name.removesuffix("_rel") else 20
    assert np.array_equal(done(name, pixels, -0.3), done(same, pixels, -0.3 * side))


@settings(max_examples=20)
@given(
    st.lists(st.sampled_from(list(OPERATIONS)), min_size=1, max_size=6),
    st.integers(1, 9),
    st.sampled_from([1, 3]),
)
def test_each_image_gets_its_own_operation_and_nothing_else_decides(names, count, channels):
    random = np.random.default_rng(count)
    images = torch.from_numpy(random.integers(0, 256, (count, channels, 7, 5), dtype=np.uint8))
    before = images.clone()
    which, amounts = random.integers(0, len(names), count), random.uniform(0, 0.5, count)
    made = applied(images, names, which, amounts)
    assert images.equal(before)
    for i in range(count):
        one = slice(i, i + 1)
        assert made[one].equal(OPERATIONS[names[which[i]]](images[one], amounts[one]))
    last = applied(images.contiguous(memory_format=torch.channels_last), names, which, amounts)
    assert last.equal(made)


@pytest.fixture(scope="module")
def functional():
    from benchmarks.peers import import_torchvision

    try:
        return import_torchvision().transforms.functional
    except ImportError as error:
        pytest.skip(f"torchvision cannot be imported: {error}")


# What torchvision does to tensors, with the most levels by which a value may differ: its grey levels are cut off where
# Pillow rounds them, its smoothing and its stretching are rounded in other places.
TORCHVISION = {
    "brightness": (lambda peer, x, a: peer.adjust_brightness(x, a), 1),
    "color": (lambda peer, x, a: peer.adjust_saturation(x, a), 2),
    "contrast": (lambda peer, x, a: peer.adjust_contrast(x, a), 2),
    "sharpness": (lambda peer, x, a: peer.adjust_sharpness(x, a), 2),
    "hue": (lambda peer, x, a: peer.adjust_hue(x, a - 0.7), 1),
    "posterize": (lambda peer, x, a: peer.posterize(x, 3), 0),
    "solarize": (lambda peer, x, a: peer.solarize(x, 100 * a), 0),
    "autocontrast": (lambda peer, x, a: peer.autocontrast(x), 1),
    "equalize": (lambda peer, x, a: peer.equalize(x), 0),
    "invert": (lambda peer, x, a: peer.invert(x), 0),
}


@pytest.mark.parametrize("name", TORCHVISION)
@pytest.mark.parametrize("amount", [0.3, 0.7, 1.1])
def test_colours_are_torchvisions(functional, name, amount):
    pixels = photo_like(3, 3, 32, 32)
    peer, most = TORCHVISION[name]
    expected = peer(functional, torch.from_numpy(pixels).permute(2, 0, 1), amount).permute(1, 2, 0).numpy()
    amount = {"hue": amount - 0.7, "posterize": 3, "solarize": 100 * amount}.get(name, amount)
    assert np.abs(done(name, pixels, amount).astype(int) - expected).max() <= most


@pytest.mark.parametrize("name", ["ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate"])
@pytest.mark.parametrize("amount", [-0.31, 0.87])
def test_moves_are_those_of_torchvisions_randaugment(functional, name, amount):
    from torchvision.transforms.autoaugment import _apply_op  # pyright: ignore[reportMissingImports]

    pixels, amount = photo_like(4, 3, 32, 32), amount * {"T": 20, "R": 100, "S": 1}[name[0]]
    image = torch.from_numpy(pixels).permute(2, 0, 1)
    peer = _apply_op(image, name, amount, functional.InterpolationMode.NEAREST, None).permute(1, 2, 0).numpy()
    ours = name.lower().replace("x", "_x").replace("y", "_y") if name != "Rotate" else "rotate"
    assert (done(ours, pixels, amount) != peer).any(2).mean() < 0.02
