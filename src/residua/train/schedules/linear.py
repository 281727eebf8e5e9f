"""A learning rate that falls to zero on a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from residua.parts import register
from residua.spec import Schedule


@register
@dataclass(frozen=True, kw_only=True)
class Linear(Schedule):
    """From the end of the warm-up to the end of the training."""

    kind: ClassVar[str] = "linear"

    def factor(self, progress: float, after_warmup: float) -> float:  # noqa: D102
        return 1 - after_warmup
