"""From whatever a user calls an image or a volume to what the network takes."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
from PIL import Image

from residua.data import preprocess, read_image
from residua.data.image import BadImage, decoded_size, image_name
from residua.data.volume_files import check_volume, open_volume, volume_of

Picture = str | os.PathLike[str] | bytes | Image.Image | np.ndarray

_LOADING = (
    threading.Lock()
)  # a Pillow image reads its file when it is first used, and may be asked about twice


def name_of(picture: Picture) -> str:
    """What messages call it: the path, or ``"image"``."""
    return image_name(picture) if isinstance(picture, str | os.PathLike) else "image"


def image_pixels(picture: Picture, shape: tuple[int, ...]) -> np.ndarray:
    """What a network of images of ``shape`` (C, H, W) with H = W sees of one, uint8 (C, H, W). Raises BadImage."""
    channels, size, _ = shape
    if isinstance(picture, np.ndarray):
        picture = from_array(picture)
    elif isinstance(picture, Image.Image):
        _load(picture)
    elif not isinstance(picture, str | os.PathLike | bytes):
        wanted = "a path, the bytes of a file, a Pillow image or an array"
        raise BadImage("image", f"an image is {wanted}, not {type(picture).__name__}")
    return preprocess(read_image(picture, at_least=decoded_size(size)), size, channels)


def volume_values(volume: Picture, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """A volume of just this ``shape`` (C, D, H, W), as ``dtype``: bytes are scaled to [0, 1] for ``"float32"``.

    Raises BadImage, also for real numbers where only bytes are taken.
    """
    if isinstance(volume, np.ndarray):
        name, array = "volume", check_volume(volume, "volume")
    elif isinstance(volume, str | os.PathLike):
        name, array = str(volume), open_volume(Path(volume))
    else:
        raise BadImage("volume", f"a volume is a path or an array, not {type(volume).__name__}")
    of_bytes = array.dtype == np.uint8
    if dtype == "uint8" and not of_bytes:
        raise BadImage(name, f"it holds {array.dtype}, and the network was trained on uint8")
    values = volume_of(array, shape, name, bytes=of_bytes)
    return values.astype(np.float32) / np.float32(255) if of_bytes and dtype == "float32" else values


def _load(image: Image.Image) -> None:
    try:
        with _LOADING:
            image.load()
    except Exception as error:  # decoders raise almost anything for a damaged file
        raise BadImage("image", " ".join(str(error).split()) or type(error).__name__) from error


def from_array(array: np.ndarray) -> Image.Image:
    """An array uint8 (H, W), (H, W, 1) or (H, W, 3) as an image. Raises BadImage for any other."""
    grey = array.ndim == 2 or array.shape[2:] == (1,)
    if array.dtype != np.uint8 or 0 in array.shape or not (grey or (array.ndim == 3 and array.shape[2] == 3)):
        wanted = "uint8 (H, W), (H, W, 1) or (H, W, 3)"
        raise BadImage("image", f"an array must be {wanted}, not {array.dtype} {array.shape}")
    return Image.fromarray(array.reshape(array.shape[:2]) if grey else array)
