"""Mirror images, drawn afresh for every batch (He et al. 2015, sec. 4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from residua.data.augment import of_images
from residua.data.batches.keyed import generator
from residua.parts import register
from residua.spec import Augmentation, probability

if TYPE_CHECKING:
    from torch import Tensor

    from residua.data.augment import Augment


@register
@dataclass(frozen=True, kw_only=True)
class Flip(Augmentation):
    """Mirrored left to right with probability ``share``."""

    kind: ClassVar[str] = "flip"
    share: float = 0.5

    def validate(self) -> None:  # noqa: D102
        probability(self, "share")

    def build(self, data: Any) -> Augment:  # noqa: D102
        of_images(self, data)
        return lambda images, targets, key: (
            flip(images, share=self.share, seed=key.seed, step=key.step),
            targets,
        )


def flip(images: Tensor, *, share: float = 0.5, seed: int, step: int) -> Tensor:
    """Images (B, C, ..., H, W), ``share`` of them mirrored left to right."""
    from residua.data.batches.geometry import mirrored

    return mirrored(images, generator(seed, "flip", step).random(len(images)) < share)
