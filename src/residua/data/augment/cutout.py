"""Cutout (DeVries & Taylor 2017, arXiv 1708.04552): a square of each image is hidden."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from residua.data.augment import of_images
from residua.data.batches.keyed import generator
from residua.parts import register
from residua.spec import Augmentation, positive

if TYPE_CHECKING:
    from torch import Tensor

    from residua.data.augment import Augment


@register
@dataclass(frozen=True, kw_only=True)
class Cutout(Augmentation):
    """A square of ``size`` pixels is zero, which is the mean: its centre is anywhere, part of it may lie outside."""

    kind: ClassVar[str] = "cutout"
    normalized: ClassVar[bool] = (
        True  # sec. 3.2: so that what is hidden does not move the statistics of the batch
    )
    size: int | None = None  # pixels; None: half of the shorter side, the paper's 16 of CIFAR-10's 32

    def validate(self) -> None:  # noqa: D102
        if self.size is not None:
            positive(self, "size")

    def build(self, data: Any) -> Augment:  # noqa: D102
        of_images(self, data)
        return lambda images, targets, key: (
            cutout(images, size=self.size, seed=key.seed, step=key.step),
            targets,
        )


def cutout(images: Tensor, *, size: int | None = None, seed: int, step: int) -> Tensor:
    """Images (B, C, ..., H, W) with a square of zeros in each, the same in all slices of a clip or volume."""
    from residua.data.batches.geometry import hidden

    height, width = images.shape[-2:]
    size = min(height, width) // 2 if size is None else size
    centres = generator(seed, "cutout", step).integers(0, (height, width), (len(images), 2))
    top, left = (centres - size // 2).T
    sides = np.full(len(images), size)
    return hidden(images, np.stack([left, top, sides, sides], 1))
