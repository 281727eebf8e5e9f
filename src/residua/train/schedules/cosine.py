"""A learning rate that falls to zero as half a cosine (Loshchilov & Hutter 2017, eq. 5, without restarts)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from residua.parts import register
from residua.spec import Schedule


@register
@dataclass(frozen=True, kw_only=True)
class Cosine(Schedule):
    """From the end of the warm-up to the end of the training."""

    kind: ClassVar[str] = "cosine"

    def factor(self, progress: float, after_warmup: float) -> float:  # noqa: D102
        return 0.5 * (1 + math.cos(math.pi * after_warmup))
