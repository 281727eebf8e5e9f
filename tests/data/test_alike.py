"""What lies in a set several times is found, however it is stored, and nothing else."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from residua.data import alike
from residua.data.alike import ALIKE, Group, first_alike, groups
from residua.survey.photos import SIDE, photo_of_file, photo_of_pixels


def scene(seed: int, size: tuple[int, int] = (60, 45)) -> Image.Image:
    """A smooth picture of its own, as photos are."""
    random = np.random.default_rng(seed)
    return Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize(
        size, Image.Resampling.BICUBIC
    )


def encoded(image: Image.Image, kind: str = "JPEG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def found(*images: bytes) -> list[Group]:
    photos = [photo_of_file(image) for image in images]
    return groups([photo.digest for photo in photos], np.stack([photo.thumbnail for photo in photos]))


ONE = scene(0)
COPIES = {
    "compressed": encoded(ONE, quality=40),
    "smaller": encoded(ONE.resize((40, 30)), quality=70),
    "larger": encoded(ONE.resize((240, 180)), "PNG"),
    "squashed": encoded(ONE.resize((60, 60)), "PNG"),
    "grey": encoded(ONE.convert("L"), "PNG"),
    "brighter": encoded(ONE.point(lambda value: value // 2 + 100), "PNG"),
}


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_the_same_picture_is_found(copy: bytes) -> None:
    assert found(encoded(scene(1)), encoded(ONE), encoded(scene(2)), copy) == [Group((1, 3), False)]


def test_the_same_bytes_are_found_and_are_one_group_with_what_looks_like_them() -> None:
    a, b = encoded(ONE), encoded(scene(1))
    assert found(a, b, a) == [Group((0, 2), True)]
    assert found(a, b, COPIES["smaller"], a, b) == [Group((0, 2, 3), False), Group((1, 4), True)]
    assert found(b, COPIES["smaller"], a, COPIES["smaller"]) == [Group((1, 2, 3), False)]


def test_pictures_of_one_colour_are_like_none_but_their_own_bytes() -> None:
    plain = [encoded(Image.new("RGB", (50, 50), colour), "PNG") for colour in ("white", "black", "white")]
    assert found(*plain) == [Group((0, 2), True)]


def test_a_few_pixels_are_compared_by_their_bytes_alone() -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (3, 8, 8), dtype=np.uint8)
    photos = [photo_of_pixels(image) for image in (pixels, pixels.copy(), (pixels * 0.99).astype(np.uint8))]
    both = groups([photo.digest for photo in photos], np.stack([photo.thumbnail for photo in photos]))
    assert both == [Group((0, 1), True)]


@settings(max_examples=40)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(1, 7), st.integers(1, 7))
def test_blocks_change_nothing(kinds: list[int], rows: int, columns: int) -> None:
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (6, SIDE, SIDE), dtype=np.uint8)
    thumbnails = pictures[kinds]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alike, "ROWS", rows)
        patch.setattr(alike, "COLUMNS", columns)
        assert first_alike(thumbnails).tolist() == [kinds.index(kind) for kind in kinds]


def test_the_bound_is_one_of_correlation() -> None:
    random = np.random.default_rng(0)
    base = random.normal(128, 30, (SIDE, SIDE))
    for noise in np.linspace(0, 20, 30):
        other = np.clip(base + random.normal(0, noise, base.shape), 0, 255).astype(np.uint8)
        pair = np.stack([np.clip(base, 0, 255).astype(np.uint8), other])
        joined = bool(first_alike(pair)[1] == 0)
        assert joined == (np.corrcoef(pair[0].ravel(), pair[1].ravel())[0, 1] >= ALIKE)
