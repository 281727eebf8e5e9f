"""Mirror images in every second epoch (Jordan 2024, arXiv 2404.00498, sec. 3.6): no view is seen twice in a row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from residua.data.augment import of_images
from residua.data.batches.keyed import generator
from residua.parts import register
from residua.spec import Augmentation

if TYPE_CHECKING:
    from torch import Tensor

    from residua.data.augment import Augment


@register
@dataclass(frozen=True, kw_only=True)
class AlternatingFlip(Augmentation):
    """Half of the images, drawn once for all, are mirrored in even epochs, the others in odd ones."""

    kind: ClassVar[str] = "alternating_flip"
    always: bool = (
        True  # false: only where mirror images are the data's own habit, which they are not of digits
    )

    def build(self, data: Any) -> Augment:  # noqa: D102
        of_images(self, data)
        if not (self.always or data.flip):
            return lambda images, targets, key: (images, targets)

        @cache
        def chosen(seed: int) -> np.ndarray:  # bool, of each training image
            return generator(seed, "alternating flip").random(len(data.train)) < 0.5

        return lambda images, targets, key: (
            alternating_flip(images, first=chosen(key.seed)[key.positions], epoch=key.epoch),
            targets,
        )


def alternating_flip(images: Tensor, *, first: np.ndarray, epoch: int) -> Tensor:
    """Images (B, C, ..., H, W), mirrored where ``first``, bool (B,), is true in even epochs, elsewhere in odd ones."""
    from residua.data.batches.geometry import mirrored

    return mirrored(images, first ^ bool(epoch % 2))
