import hashlib
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from residua.data import crop_flip, normalize
from residua.data.batches.keyed import generator


def images_of(count: int, channels: int, height: int, width: int) -> torch.Tensor:
    pixels = np.random.default_rng(0).integers(1, 256, (count, height, width, channels), dtype=np.uint8)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


@settings(max_examples=60)
@given(
    st.integers(1, 9), st.sampled_from([1, 3]), st.integers(1, 9), st.integers(1, 9),
    st.integers(0, 4), st.booleans(), st.integers(0, 9),
)  # fmt: skip
def test_each_image_is_a_shifted_crop_of_itself_or_of_its_mirror_image(
    count: int, channels: int, height: int, width: int, pad: int, flip: bool, step: int
) -> None:
    images = images_of(count, channels, height, width)
    before = images.clone()
    result = crop_flip(images, pad=pad, flip=flip, seed=0, step=step)
    assert result.shape == images.shape and result.dtype == torch.uint8 and images.equal(before)
    assert result.is_contiguous(memory_format=torch.channels_last)
    for original, crop in zip(images, result, strict=True):
        sources = [original, original.flip(2)] if flip else [original]
        padded = [torch.nn.functional.pad(source, (pad,) * 4) for source in sources]
        assert any(
            crop.equal(p[:, y : y + height, x : x + width])
            for p in padded
            for y in range(2 * pad + 1)
            for x in range(2 * pad + 1)
        )


def test_every_shift_occurs_and_half_the_images_are_mirrored() -> None:
    one = torch.zeros(1, 1, 9, 9, dtype=torch.uint8)
    one[0, 0, 4, 3] = 255
    result = crop_flip(one.expand(4000, 1, 9, 9), pad=2, flip=True, seed=3, step=0)
    rows, columns = np.divmod(result.flatten(1).argmax(1).numpy(), 9)
    assert np.bincount(rows, minlength=9)[2:7].min() > 600 and set(rows) == set(range(2, 7))
    # Unmirrored the dot stands at 3, mirrored at 5, each shifted by -2 to 2: 1, 2 and 6, 7 belong to one of them.
    counts = np.bincount(columns, minlength=9)
    assert 650 < counts[1] + counts[2] < 950 and 650 < counts[6] + counts[7] < 950


def test_augmentation_is_a_function_of_seed_and_step() -> None:
    images = images_of(64, 3, 8, 8)

    def made(seed: int, step: int) -> torch.Tensor:
        return crop_flip(images, pad=2, flip=True, seed=seed, step=step)

    assert made(1, 2).equal(made(1, 2))
    assert not made(1, 2).equal(made(1, 3)) and not made(1, 2).equal(made(2, 2))
    generator(1, "order", 0).random()  # other draws change nothing
    torch.manual_seed(99)
    assert made(1, 2).equal(made(1, 2))


def test_its_bits_are_those_of_the_first_version() -> None:
    digest = hashlib.sha256()
    for shape in ((7, 3, 9, 8), (5, 1, 3, 6, 7)):
        pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        for pad, flip, step in itertools.product((0, 1, 4), (False, True), (0, 3)):
            made = crop_flip(torch.from_numpy(pixels), pad=pad, flip=flip, seed=5, step=step)
            digest.update(made.contiguous().numpy().tobytes())
    assert digest.hexdigest() == "07a7d4adfdce441216a637c7f351492989f9f4c5eb820ecee4ed59bea50b8f32", (
        "runs that stand would not resume bit for bit"
    )


def test_any_memory_layout_gives_the_same_result() -> None:
    images = images_of(16, 3, 8, 8)
    for pad, flip in ((2, True), (0, True), (2, False), (0, False)):
        one = crop_flip(images, pad=pad, flip=flip, seed=0, step=0)
        assert one.equal(crop_flip(images.contiguous(), pad=pad, flip=flip, seed=0, step=0))


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("given_as", [torch.channels_last, torch.contiguous_format])
def test_normalize_gives_zero_mean_and_unit_std(
    memory_format: torch.memory_format, channels: int, given_as: torch.memory_format
) -> None:
    images = images_of(50, channels, 6, 5).contiguous(memory_format=given_as)
    mean, std = [0.5, 0.4, 0.3][:channels], [0.2, 0.3, 0.1][:channels]
    result = normalize(images, mean, std, memory_format=memory_format)
    expected = (images.double() / 255 - torch.tensor(mean).view(-1, 1, 1)) / torch.tensor(std).view(-1, 1, 1)
    torch.testing.assert_close(result.double(), expected, atol=2e-6, rtol=0)
    assert result.dtype == torch.float32 and result.is_contiguous(memory_format=memory_format)
    half = normalize(images, mean, std, dtype=torch.bfloat16, memory_format=memory_format)
    assert half.equal(result.bfloat16())
