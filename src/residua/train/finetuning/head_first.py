"""The head alone first, then everything, the slower the nearer it stands to the image.

A fresh head sends gradients of no meaning into what is trained; once it fits the features, they are worth following.
Early layers see what all images have in common, and need to change least: rates that fall with the distance from the
head are the discriminative fine-tuning of Howard & Ruder 2018 (ULMFiT, sec. 3.2), who also begin with the head. They
divide by 2.6 from layer to layer; a fixed end of a geometric progression instead suits 20 layers and 110.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from residua.errors import UsageError
from residua.parts import register
from residua.spec import Finetuning


@register
@dataclass(frozen=True, kw_only=True)
class HeadFirst(Finetuning):
    """``until`` this part of the training the head learns alone; 1 leaves the rest as it is.

    Then the stem learns at ``stem_rate`` of the head's rate, and the units between them at rates spaced geometrically.
    The schedule, with its warm-up, is gone through by each of the two.
    """

    kind: ClassVar[str] = "head_first"

    until: float = 0.3
    stem_rate: float = 0.1

    def validate(self) -> None:  # noqa: D102
        if not 0 <= self.until <= 1:
            raise UsageError(f"{self.title()}.until must be in [0, 1], not {self.until}")
        if not 0 < self.stem_rate <= 1:
            raise UsageError(f"{self.title()}.stem_rate must be above 0 and at most 1, not {self.stem_rate}")

    def frozen(self, progress: float) -> bool:  # noqa: D102
        return progress < self.until

    def scheduled(self, progress: float) -> float:  # noqa: D102
        if progress < self.until:
            return progress / self.until
        return (progress - self.until) / (1 - self.until) if self.until < 1 else 1.0

    def rate(self, depth: float) -> float:  # noqa: D102
        return self.stem_rate ** (1 - depth)
