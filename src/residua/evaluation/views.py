"""Test-time views as data: what the network is shown of an image. Its answer is the mean over views.

- Several scales are fully-convolutional: the network sees the whole image at another size, and its global pooling
  averages over the larger or smaller map (He et al. 2015, sec. 3.4).
- The ten crops are the four corners and the centre, each also mirrored (Krizhevsky et al. 2012, sec. 4.1), of 7/8 of
  the image's sides (224 of 256), brought back to the size that the network was trained with.
- Shifts are the image itself and two that lie up and left of it, and down and right (Jordan 2024, arXiv 2404.00498,
  sec. 3.5; all count alike here, there the image itself as much as the two others).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from residua.errors import UsageError

CROP = 7 / 8  # of each side
CORNERS = {
    "centre": (0.5, 0.5),
    "top left": (0, 0),
    "top right": (0, 1),
    "bottom left": (1, 0),
    "bottom right": (1, 1),
}


@dataclass(frozen=True, kw_only=True)
class View:
    """One way to show an image: a crop of ``CORNERS`` or the whole, mirrored or not, at a scale, shifted.

    ``shift`` is in pixels, down and right; what comes in from outside is the image mirrored at its border.
    """

    crop: str | None = None
    flip: bool = False
    scale: float = 1.0
    shift: int = 0

    def __post_init__(self) -> None:
        if self.crop is not None and self.crop not in CORNERS:
            raise UsageError(f"a crop is one of {', '.join(CORNERS)}, not {self.crop!r}")
        if not 0.1 <= self.scale <= 10:
            raise UsageError(f"a scale must be from 0.1 to 10, not {self.scale}")

    def __str__(self) -> str:
        parts = [
            self.crop or "whole",
            "mirrored" if self.flip else "",
            f"x{self.scale:g}" if self.scale != 1 else "",
            f"shifted {self.shift:+d}" if self.shift else "",
        ]
        return " ".join(filter(None, parts))

    def __call__(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W), floating point, as the view shows them; H and W times ``scale``, rounded.

        Of clips and volumes (N, C, D, H, W) every slice is shown alike.
        """
        if images.ndim > 4:
            slices = self(images.transpose(1, 2).flatten(0, 1))
            return slices.unflatten(0, (len(images), -1)).transpose(1, 2)
        if images.ndim < 4:
            if self != View():
                raise UsageError(f"a row of a table can only be shown as it is, not {self}")
            return images
        height, width = images.shape[2:]
        size = (max(round(height * self.scale), 1), max(round(width * self.scale), 1))
        if self.crop is not None:
            high, wide = (max(round(side * CROP), 1) for side in (height, width))
            down, right = CORNERS[self.crop]
            top, left = round((height - high) * down), round((width - wide) * right)
            images = images[:, :, top : top + high, left : left + wide]
        if images.shape[2:] != size:
            images = F.interpolate(images, size, mode="bilinear", antialias=True)
        if self.shift:
            images = _shifted(images, self.shift)
        return images.flip(3) if self.flip else images


PLAIN = (View(),)


def _shifted(images: Tensor, shift: int) -> Tensor:
    """Images (N, C, H, W) moved ``shift`` pixels down and right. Raises UsageError where they are too small for it."""
    height, width = images.shape[2:]
    room = abs(shift)
    if room >= min(height, width):
        raise UsageError(f"images of {height}x{width} pixels cannot be shifted by {room}")
    begin = room - shift
    padded = F.pad(images, (room,) * 4, mode="reflect")
    return padded[:, :, begin : begin + height, begin : begin + width]


def make_views(
    *, flip: bool = False, ten_crop: bool = False, scales: Sequence[float] = (1.0,), shift: int = 0
) -> tuple[View, ...]:
    """Every crop, mirror, scale and shift (none, up and left, down and right by so many pixels) combined.

    Raises UsageError for a wrong scale or shift.
    """
    if shift < 0:
        raise UsageError(f"a shift is 0 or more pixels, not {shift}")
    if not scales:
        raise UsageError("scales must name at least one scale, such as 1")
    if len(set(scales)) != len(scales):
        raise UsageError(f"scales must differ, not {list(scales)}")
    crops = tuple(CORNERS) if ten_crop else (None,)
    mirrors = (False, True) if flip or ten_crop else (False,)
    shifts = (0, -shift, shift) if shift else (0,)
    return tuple(
        View(crop=crop, flip=mirror, scale=scale, shift=moved)
        for scale in scales
        for moved in shifts
        for crop in crops
        for mirror in mirrors
    )
