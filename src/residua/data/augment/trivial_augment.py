"""TrivialAugment (Müller & Hutter 2021, arXiv 2103.10158): one operation of an image, of any strength."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from residua.data.augment import of_pixels
from residua.data.augment.spaces import TRIVIAL_AUGMENT, check_operations, drawn, usual
from residua.data.batches.keyed import generator
from residua.parts import register
from residua.spec import Augmentation

if TYPE_CHECKING:
    from torch import Tensor

    from residua.data.augment import Augment

BINS = 31  # strengths, the paper's


@register
@dataclass(frozen=True, kw_only=True)
class TrivialAugment(Augmentation):
    """An operation for each image, drawn afresh with its strength, in the paper's wide space."""

    kind: ClassVar[str] = "trivial_augment"
    operations: tuple[str, ...] = usual(TRIVIAL_AUGMENT)

    def validate(self) -> None:  # noqa: D102
        check_operations(TRIVIAL_AUGMENT, self.operations, f"{self.title()}.operations")

    def build(self, data: Any) -> Augment:  # noqa: D102
        of_pixels(self, data)
        return lambda images, targets, key: (
            trivial_augment(images, operations=self.operations, seed=key.seed, step=key.step),
            targets,
        )


def trivial_augment(images: Tensor, *, operations: tuple[str, ...], seed: int, step: int) -> Tensor:
    """Images uint8 (B, C, H, W), grey or RGB, each changed once."""
    from residua.data.batches.operations import applied

    random = generator(seed, "trivial augment", step)
    strengths = random.integers(0, BINS, len(images)) / (BINS - 1)
    return applied(images, operations, *drawn(TRIVIAL_AUGMENT, operations, strengths, random))
