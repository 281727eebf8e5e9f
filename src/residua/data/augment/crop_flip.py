"""Crops and mirror images of whole batches, on the device where they are, without a loop over images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from residua.data.batches.keyed import generator
from residua.errors import UsageError
from residua.parts import register
from residua.spec import Augmentation

if TYPE_CHECKING:
    from torch import Tensor

    from residua.data.augment import Augment


@register
@dataclass(frozen=True, kw_only=True)
class CropFlip(Augmentation):
    """Shifted by up to ``pad`` pixels, and mirrored half of the time (He et al. 2015, sec. 4.2)."""

    kind: ClassVar[str] = "crop_flip"
    pad: int | None = None  # crop with this padding, in pixels; None: the data's own habit
    flip: bool | None = None  # mirror half of the images; None: the data's own habit

    def validate(self) -> None:  # noqa: D102
        if self.pad is not None and self.pad < 0:
            raise UsageError(f"{self.title()}.pad cannot be negative, not {self.pad}")

    def build(self, data: Any) -> Augment:  # noqa: D102
        pad = data.pad if self.pad is None else self.pad
        flip = data.flip if self.flip is None else self.flip
        return lambda images, targets, seed, step: (
            crop_flip(images, pad=pad, flip=flip, seed=seed, step=step),
            targets,
        )


def crop_flip(images: Tensor, *, pad: int, flip: bool, seed: int, step: int) -> Tensor:
    """Pad with zeros, crop at random to the old size, and mirror every second image (He et al. 2015, sec. 4.2).

    Takes and returns uint8 (B, C, H, W), in channels_last memory. What happens to image i of the batch is a function
    of ``seed``, ``step``, i and B alone. ``pad`` in pixels; 0 leaves out the crop, ``flip=False`` the mirror. Of clips
    and volumes (B, C, D, H, W) all slices move together; of other numbers than uint8, zeros are padded all the same.
    """
    import torch

    if not pad and not flip:
        return images
    if images.ndim > 4:
        slices = crop_flip(images.flatten(1, -3), pad=pad, flip=flip, seed=seed, step=step)
        return slices.unflatten(1, images.shape[1:-2])
    count, channels, height, width = images.shape
    random = generator(seed, "crop and flip", step)
    shifts, mirror = random.integers(0, 2 * pad + 1, (2, count, 1)), random.random(count) < 0.5
    pixels = images.permute(0, 2, 3, 1)  # (B, H, W, C): a row of pixels is one run of bytes
    if flip:
        turned = torch.from_numpy(np.flatnonzero(mirror)).to(images.device)
        pixels = pixels.index_copy(0, turned, pixels.index_select(0, turned).flip(2))
    if pad:
        padded = pixels.new_zeros(count, height + 2 * pad, width + 2 * pad, channels)
        padded[:, pad : pad + height, pad : pad + width] = pixels
        # Where each row of each crop begins, counted in pixels of the padded batch. Every run of W pixels is a row
        # of an overlapping view, so that the crop is one selection of rows: 15 microseconds where indexing takes 350.
        down, across = shifts
        top = np.arange(count)[:, None] * (height + 2 * pad) + down + np.arange(height)
        begin = torch.from_numpy((top * (width + 2 * pad) + across).ravel()).to(images.device)
        rows = padded.numel() // channels - width + 1
        runs = padded.as_strided((rows, width * channels), (channels, 1))
        pixels = runs.index_select(0, begin).view(count, height, width, channels)
    return pixels.permute(0, 3, 1, 2)
