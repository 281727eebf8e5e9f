"""One cycle: a learning rate that rises to its peak and falls once (Smith & Topin 2018, arXiv 1708.07120)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from residua.errors import UsageError
from residua.parts import register
from residua.spec import Schedule


@register
@dataclass(frozen=True, kw_only=True)
class OneCycle(Schedule):
    """From ``start`` of the rate to all of it at ``peak`` of the training, and down to ``end`` of it at ``until``.

    After ``until`` it stays there, as weight averaging wants it. On lines (Page 2018; Jordan 2024), or as halves of
    cosines, which is torch's ``OneCycleLR``. The momentum stays as it is. A warm-up of the recipe comes before.
    """

    kind: ClassVar[str] = "one_cycle"

    peak: float = 0.25
    until: float = 1.0
    start: float = 0.04
    end: float = 0.0
    shape: Literal["linear", "cosine"] = "linear"

    def validate(self) -> None:  # noqa: D102
        if not 0 <= self.peak < self.until <= 1:
            raise UsageError(
                f"{self.title()}: peak and until must rise within [0, 1], not {self.peak} and {self.until}"
            )
        for name in ("start", "end"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{self.title()}.{name} must be in [0, 1], not {getattr(self, name)}")

    def factor(self, progress: float, after_warmup: float) -> float:  # noqa: D102
        rising = after_warmup < self.peak
        begin, end = (0.0, self.peak) if rising else (self.peak, self.until)
        low = self.start if rising else self.end
        way = min((after_warmup - begin) / (end - begin), 1.0)
        if self.shape == "cosine":
            way = 0.5 * (1 - math.cos(math.pi * way))
        return low + (1 - low) * (way if rising else 1 - way)
