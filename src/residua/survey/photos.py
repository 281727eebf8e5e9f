"""One image as a look sees it: its size, how it is stored, and a thumbnail by which others like it are found."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from residua.data.image import GREY_MODES, open_image, read_image

SIDE = 16  # px of a thumbnail
DECODED = 64  # px that the shorter side keeps in decoding: a thumbnail needs no more


@dataclass(frozen=True, kw_only=True, slots=True)
class Photo:
    """An image that can be read."""

    width: int  # px, upright
    height: int
    grey: bool
    turned: bool  # by its EXIF orientation
    format: str  # Pillow's name of it: JPEG, PNG ...
    digest: bytes  # of the file, or of the pixels where there is no file
    thumbnail: np.ndarray  # uint8 (SIDE, SIDE): grey, whatever its aspect was


def photo_of_file(content: Path | bytes) -> Photo:
    """The photo of an image file, or of the bytes of one. Raises BadImage."""
    with open_image(content) as header:  # before the file is read whole: a large one is refused by its size
        grey, form = header.mode in GREY_MODES, header.format or ""
        width, height = header.size
    data = content if isinstance(content, bytes) else content.read_bytes()
    with open_image(data) as header:
        orientation = header.getexif().get(ExifTags.Base.Orientation, 1)
    image = read_image(data, at_least=DECODED)
    if (image.width > image.height) != (width > height):
        width, height = height, width
    return Photo(
        width=width,
        height=height,
        grey=grey,
        turned=orientation != 1,
        format=form,
        digest=hashlib.blake2b(data, digest_size=16).digest(),
        thumbnail=_thumbnail(image),
    )


def photo_of_pixels(pixels: np.ndarray) -> Photo:
    """The photo of decoded pixels, uint8 (C, H, W)."""
    channels, height, width = pixels.shape
    return Photo(
        width=width,
        height=height,
        grey=channels == 1,
        turned=False,
        format="",
        digest=hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=16).digest(),
        thumbnail=_thumbnail(image_of(pixels)),
    )


def image_of(pixels: np.ndarray) -> Image.Image:
    """Pixels uint8 (C, H, W) as an image."""
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def _thumbnail(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR))
