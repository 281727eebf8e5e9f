"""RandAugment (Cubuk et al. 2019, arXiv 1909.13719): some operations of an image one after the other, all as strong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from residua.data.augment import of_pixels
from residua.data.augment.spaces import RANDAUGMENT, check_operations, drawn, usual
from residua.data.batches.keyed import generator
from residua.errors import UsageError
from residua.parts import register
from residua.spec import Augmentation, positive

if TYPE_CHECKING:
    from torch import Tensor

    from residua.data.augment import Augment

STRONGEST = 30


@register
@dataclass(frozen=True, kw_only=True)
class RandAugment(Augmentation):
    """``count`` operations for each image, drawn afresh, at ``magnitude`` of 30; torchvision's defaults."""

    kind: ClassVar[str] = "randaugment"
    count: int = 2
    magnitude: float = 9.0
    operations: tuple[str, ...] = usual(RANDAUGMENT)

    def validate(self) -> None:  # noqa: D102
        positive(self, "count")
        if not 0 <= self.magnitude <= STRONGEST:
            raise UsageError(f"{self.title()}.magnitude must be in [0, {STRONGEST}], not {self.magnitude}")
        check_operations(RANDAUGMENT, self.operations, f"{self.title()}.operations")

    def build(self, data: Any) -> Augment:  # noqa: D102
        of_pixels(self, data)
        options = {"count": self.count, "magnitude": self.magnitude, "operations": self.operations}
        return lambda images, targets, key: (
            randaugment(images, seed=key.seed, step=key.step, **options),
            targets,
        )


def randaugment(
    images: Tensor, *, count: int, magnitude: float, operations: tuple[str, ...], seed: int, step: int
) -> Tensor:
    """Images uint8 (B, C, H, W), grey or RGB, each changed ``count`` times."""
    from residua.data.batches.operations import applied

    random = generator(seed, "randaugment", step)
    for _ in range(count):
        strengths = np.full(len(images), magnitude / STRONGEST)
        images = applied(images, operations, *drawn(RANDAUGMENT, operations, strengths, random))
    return images
