"""Operations by name, done to whole batches uint8 (B, C, H, W), grey or RGB, with an amount for each image."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from residua.data.batches import colours
from residua.data.batches.geometry import warped


def shear_x(images: Tensor, levels: np.ndarray) -> Tensor:
    """Rows moved to the left by so many pixels for each that they lie below the upper border."""
    return _affine(images, (0, 1), levels)


def shear_y(images: Tensor, levels: np.ndarray) -> Tensor:
    """Columns moved up by so many pixels for each that they lie off the left border."""
    return _affine(images, (1, 0), levels)


def translate_x(images: Tensor, pixels: np.ndarray) -> Tensor:
    """Moved to the right by whole pixels, fractions cut off."""
    return _affine(images, (0, 2), -np.trunc(pixels))


def translate_y(images: Tensor, pixels: np.ndarray) -> Tensor:
    """Moved down by whole pixels, fractions cut off."""
    return _affine(images, (1, 2), -np.trunc(pixels))


def translate_x_rel(images: Tensor, shares: np.ndarray) -> Tensor:
    """Moved to the right by a share of the width."""
    return translate_x(images, shares * images.shape[3])


def translate_y_rel(images: Tensor, shares: np.ndarray) -> Tensor:
    """Moved down by a share of the height."""
    return translate_y(images, shares * images.shape[2])


def rotate(images: Tensor, degrees: np.ndarray) -> Tensor:
    """Turned counter-clockwise about the middle."""
    down, across = (side / 2 for side in images.shape[2:])
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rows = [
        [cos, -sin, across - cos * across + sin * down],
        [sin, cos, down - sin * across - cos * down],
    ]
    return warped(images, np.array(rows).transpose(2, 0, 1))


OPERATIONS: dict[str, Callable[[Tensor, np.ndarray], Tensor]] = {
    "identity": lambda images, amounts: images,
    "shear_x": shear_x,
    "shear_y": shear_y,
    "translate_x": translate_x,
    "translate_y": translate_y,
    "translate_x_rel": translate_x_rel,
    "translate_y_rel": translate_y_rel,
    "rotate": rotate,
    "brightness": colours.brightness,
    "color": colours.color,
    "contrast": colours.contrast,
    "sharpness": colours.sharpness,
    "hue": colours.hue,
    "posterize": colours.posterize,
    "solarize": colours.solarize,
    "autocontrast": colours.autocontrast,
    "equalize": colours.equalize,
    "invert": colours.invert,
}


def applied(images: Tensor, names: Sequence[str], which: np.ndarray, amounts: np.ndarray) -> Tensor:
    """Each image changed by the one of ``names`` that ``which``, int64 (B,), says, by its own amount, (B,)."""
    made = images.clone()
    for number, name in enumerate(names):
        places = np.flatnonzero(which == number)
        if len(places) and name != "identity":
            chosen = torch.from_numpy(places).to(images.device)
            changed = OPERATIONS[name](images.index_select(0, chosen), amounts[places])
            made.index_copy_(0, chosen, changed)
    return made


def _affine(images: Tensor, entry: tuple[int, int], values: np.ndarray) -> Tensor:
    """Seen through the identity with one entry changed."""
    maps = np.tile(np.eye(2, 3), (len(values), 1, 1))
    maps[:, entry[0], entry[1]] = values
    return warped(images, maps)
