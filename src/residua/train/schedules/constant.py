"""The same learning rate all the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from residua.parts import register
from residua.spec import Schedule


@register
@dataclass(frozen=True, kw_only=True)
class Constant(Schedule):
    """No change after the warm-up."""

    kind: ClassVar[str] = "constant"

    def factor(self, progress: float, after_warmup: float) -> float:  # noqa: D102
        return 1.0
