"""One image as a look sees it: its size, how it is stored, and a thumbnail by which others like it are found."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from residua.data.image import GREY_MODES, decode, open_image

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
    thumbnail: np.ndarray  # uint8 (SIDE, SIDE): grey, whatever its aspect was; zeros of what is smaller


def photo_of_file(content: Path | bytes) -> Photo:
    """The photo of an image file, or of the bytes of one. Raises BadImage, and OSError where it cannot be read."""
    with open_image(content) as opened:
        grey, form = opened.mode in GREY_MODES, opened.format or ""
        longer, shorter = sorted(opened.size, reverse=True)
        image = decode(opened, "image", DECODED)
        turned = _is_turned(opened)
    return Photo(
        width=longer if image.width > image.height else shorter,
        height=shorter if image.width > image.height else longer,
        grey=grey,
        turned=turned,
        format=form,
        digest=_digest(content),
        thumbnail=thumbnail(image),
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
        digest=_digest(pixels.tobytes()),
        thumbnail=thumbnail(image_of(pixels)),
    )


def image_of(pixels: np.ndarray) -> Image.Image:
    """Pixels uint8 (C, H, W) as an image."""
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def _is_turned(header: Image.Image) -> bool:
    if header.format == "HEIF":  # which pillow-heif turns by itself
        return header.info.get("original_orientation") not in (None, 1)
    if "exif" not in header.info and header.format != "TIFF":  # a PNG file would be decoded to look for it
        return False
    return header.getexif().get(ExifTags.Base.Orientation, 1) != 1


def _digest(content: Path | bytes) -> bytes:
    if isinstance(content, bytes):
        return hashlib.blake2b(content, digest_size=16).digest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()


def thumbnail(image: Image.Image) -> np.ndarray:
    """By what images are compared: uint8 (SIDE, SIDE), zeros of a smaller image."""
    if (
        min(image.size) < SIDE
    ):  # so few pixels are soon like others: digits of 8 px would be found by the hundred
        return np.zeros((SIDE, SIDE), np.uint8)
    return np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR))
