"""From any image file to the pixels that a network sees: one rule, for training, evaluation and prediction.

- Grey images (bilevel, grey, grey with alpha, 16-bit, 32-bit, float) become ``L``; all others (palette, CMYK, YCbCr,
  RGB with alpha) become ``RGB``. Transparent pixels are composited on white. 16-bit values are scaled by 257, whole
  numbers beyond 8 bits likewise; floats are taken as 0 to 1 if none is above 1, as 0 to 255 otherwise.
- An EXIF orientation is applied. Of several frames the first one counts.
- HEIC and HEIF files are read by pillow-heif, if it is installed.
- What is larger than a decoder can be trusted with is refused before it is decoded: by bytes, sides, aspect and pixels.
- Below 96 px the largest centred square is resized to the wanted size; from 96 px on, the centred square with 7/8 of
  the shorter side (the usual 256 -> 224 px). Bilinear, with antialiasing.
"""

from __future__ import annotations

import io
import math
import os
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from residua.data.random_part import AREA, ASPECT, Range, random_part
from residua.errors import ResiduaError

SMALL = 96  # px: below it images are shown whole; from it on the margin is cut
CENTRE = 7 / 8
# What is refused: a few bytes can stand for any number of pixels, and no file may take more than 500 MB or seconds.
MAX_BYTES = 256 << 20  # of a file: some decoders read it whole
MAX_SIDE = 65_535  # px; JPEG's own limit
MAX_ASPECT = 1_000  # the longer side by the shorter one
MAX_PIXELS = 89_478_485  # of a file: Pillow's own limit
MAX_DECODED = 25_000_000  # px at once, 100 MB of RGB; a large baseline JPEG is shrunk in decoding
# The formats that are tried; none that runs a program, as EPS does.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF")
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".avif", ".heic", ".heif", ".hif"),
)
# What a HEIF file holds from its 5th byte on: the box and its brand (ISO/IEC 23008-12, annex B). AVIF, which Pillow
# reads, may be of the last two as well.
HEIF = (
    *(b"ftypheic", b"ftypheix", b"ftypheim", b"ftypheis", b"ftyphevc", b"ftyphevx", b"ftyphevm", b"ftyphevs"),
    *(b"ftypmif1", b"ftypmsf1"),
)
GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"})

_ROWS = 256  # of 16-bit and float images, scaled at once

Encoded = str | os.PathLike[str] | bytes | Image.Image


class BadImage(ResiduaError):
    """An image that cannot be read: ``name`` says which, ``reason`` why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


def image_name(path: str | os.PathLike[str]) -> str:
    """A path as text that can be printed and stored, even if its name is no valid Unicode."""
    return os.fsencode(path).decode("utf-8", "replace")


def open_image(source: Encoded) -> Image.Image:
    """The image with its header read and its pixels not yet. Raises BadImage."""
    if isinstance(source, Image.Image):
        return source
    name = _name(source)
    try:
        if not isinstance(source, bytes) and not Path(source).is_file():
            Path(source).stat()  # says what is wrong, if there is nothing at all
            raise BadImage(name, "not a regular file")  # opening a pipe would wait for ever
        size = len(source) if isinstance(source, bytes) else Path(source).stat().st_size
        if not 0 < size <= MAX_BYTES:
            refused = f"{size:,} bytes are refused: a file has {MAX_BYTES:,} at most"
            raise BadImage(name, refused if size else "the file is empty")
        image = _identify(source)
    except Exception as error:
        raise _bad(name, error) from error
    try:
        _check_size(image, name, MAX_PIXELS)
    except BadImage:
        image.close()
        raise
    return image


def read_image(source: Encoded, *, at_least: int | None = None) -> Image.Image:
    """The image as ``L`` or ``RGB``, upright.

    ``source`` is a path, the bytes of a file, or a Pillow image (which is left as it is). With ``at_least`` a JPEG
    may be decoded at 1/2, 1/4 or 1/8 of its size, as long as both sides keep that many pixels (several times faster
    for photographs). Raises BadImage, a ResiduaError, with the name and the reason.
    """
    if isinstance(source, Image.Image):
        return decode(source, "image", None)
    with open_image(source) as image:
        return decode(image, _name(source), at_least)


def preprocess(image: Image.Image, size: int, channels: int) -> np.ndarray:
    """Pixels uint8 (C, H, W) with H = W = ``size`` of an image of ``read_image``, by this module's rule.

    ``channels`` is 1 (grey) or 3. The array is a view in channels_last memory.
    """
    side = min(image.size) * (CENTRE if size >= SMALL else 1)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    return _pixels(image, (left, top, left + side, top + side), size, channels)


def decoded_size(size: int) -> int:
    """How many pixels the shorter side of an image must keep in decoding, for ``preprocess`` to ``size``."""
    return math.ceil(size / CENTRE) if size >= SMALL else size


def random_crop(
    source: Encoded,
    size: int,
    channels: int,
    random: np.random.Generator,
    area: Range = AREA,
    aspect: Range = ASPECT,
) -> np.ndarray:
    """As ``read_image`` and ``preprocess``, but of a random part of the image: the usual training crop.

    Its area is drawn from 8 % to 100 % of the image and its aspect ratio from 3/4 to 4/3, or as given; after ten draws
    that do not fit, the largest centred square is taken. The part is chosen before decoding, so that a large JPEG is
    decoded no finer than needed. Raises BadImage.
    """
    with open_image(source) as header:
        width, height = header.size
        x, y, w, h = random_part(width, height, random, area, aspect)
        shorter = min(width, height)
        needed = min(shorter, math.ceil(size * shorter / min(w, h)))
        image = decode(header, _name(source), needed)
    if (image.width > image.height) != (width > height):  # turned upright: the part turns with it
        x, y, w, h, width, height = y, x, h, w, height, width
    across, down = image.width / width, image.height / height
    box = (x * across, y * down, min((x + w) * across, image.width), min((y + h) * down, image.height))
    return _pixels(image, box, size, channels)


def _identify(source: str | os.PathLike[str] | bytes) -> Image.Image:
    """The image of one of ``FORMATS``, or of HEIF; nothing is registered with Pillow, which others use too."""
    try:
        return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS)
    except UnidentifiedImageError:
        if not _beginning(source)[4:].startswith(HEIF):
            raise
    try:
        from pillow_heif import HeifImageFile  # only where there is such a file: it takes 40 ms
    except ImportError as error:
        raise ResiduaError("an HEIC file, which pillow-heif reads: pip install 'residua[heic]'") from error
    try:
        return HeifImageFile(io.BytesIO(source) if isinstance(source, bytes) else source)
    except SyntaxError as error:
        raise ResiduaError("a damaged HEIC file") from error


def _beginning(source: str | os.PathLike[str] | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[:12]
    with Path(source).open("rb") as file:
        return file.read(12)


def _check_size(image: Image.Image, name: str, most: int) -> None:
    """Raise BadImage for sides, an aspect or a number of pixels (more than ``most``) that no decoder is to see."""
    shorter, longer = sorted(image.size)
    for found, limit, what in (
        (longer, MAX_SIDE, "a side"),
        (longer / max(shorter, 1), MAX_ASPECT, "the longer side by the shorter one"),
        (shorter * longer, most, "an image"),
    ):
        if found > limit:
            raise BadImage(
                name, f"{image.width}x{image.height} pixels are refused: {what} has {limit:,} at most"
            )


def decode(image: Image.Image, name: str, at_least: int | None) -> Image.Image:
    """An image of ``open_image`` as ``read_image`` gives it: the pixels of the opened one may be fewer afterwards."""
    try:
        if image.info.get("progressive"):  # such a JPEG is held whole, however small it is wanted
            _check_size(image, name, MAX_DECODED)
        if at_least is not None:
            image.draft(image.mode, (at_least, at_least))
        _check_size(image, name, MAX_DECODED)
        image.load()
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
        upright = ImageOps.exif_transpose(image) if turned else image  # which else makes a copy
        return _grey(upright) if upright.mode in GREY_MODES else _in_mode(_without_alpha(upright), "RGB")
    except Exception as error:  # decoders raise almost anything for a damaged file
        raise _bad(name, error) from error


def _pixels(
    image: Image.Image, box: tuple[float, float, float, float], size: int, channels: int
) -> np.ndarray:
    image = _in_mode(image, "L" if channels == 1 else "RGB")
    if image.size != (size, size) or box != (0, 0, size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR, box=box, reducing_gap=3.0)
    return np.asarray(image).reshape(size, size, channels).transpose(2, 0, 1)


def _name(source: Encoded) -> str:
    return "image" if isinstance(source, bytes | Image.Image) else image_name(source)


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)


def _without_alpha(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), _in_mode(image, "RGBA"))


def _grey(image: Image.Image) -> Image.Image:
    if image.mode in ("1", "L", "LA", "La"):
        return _in_mode(_without_alpha(image), "L")
    values = np.asarray(image)
    least, most = float(values.min()), float(values.max())  # not a number, if one is not
    if not (least >= 0 and most <= 65535):
        raise ValueError("its values are not all finite numbers from 0 to 65535")
    if image.mode != "F":
        factor, divisor = 1, 257
    elif most <= 255:
        factor, divisor = 255 if most <= 1 else 1, 1
    else:
        raise ValueError("its float values are neither from 0 to 1 nor from 0 to 255")
    levels = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _ROWS):  # a copy in float64 of some rows, not of all
        rows = slice(start, start + _ROWS)
        levels[rows] = np.rint(values[rows].astype(np.float64) * factor / divisor)
    return Image.fromarray(levels)


def _bad(name: str, error: Exception) -> BadImage:
    if isinstance(error, BadImage):
        return BadImage(name, error.reason)
    if isinstance(error, UnidentifiedImageError):
        return BadImage(name, "not an image, or damaged at its beginning")
    if isinstance(error, Image.DecompressionBombError):
        return BadImage(name, "refused as a decompression bomb")
    if isinstance(error, MemoryError):
        return BadImage(name, "not enough memory to decode it")
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return BadImage(name, "truncated" if "truncated" in reason.lower() else " ".join(reason.split()))
