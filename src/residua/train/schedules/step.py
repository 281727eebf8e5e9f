"""A learning rate that is divided at milestones (He et al. 2015, sec. 4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from residua.errors import UsageError
from residua.parts import register
from residua.spec import Schedule


@register
@dataclass(frozen=True, kw_only=True)
class Step(Schedule):
    """Times ``gamma`` at each milestone, a part of the whole training in [0, 1]."""

    kind: ClassVar[str] = "step"

    milestones: tuple[float, ...] = ()
    gamma: float = 0.1

    def validate(self) -> None:  # noqa: D102
        if list(self.milestones) != sorted(self.milestones) or any(not 0 <= m <= 1 for m in self.milestones):
            raise UsageError(
                f"{self.title()}.milestones must rise within [0, 1], not {list(self.milestones)}"
            )

    def factor(self, progress: float, after_warmup: float) -> float:  # noqa: D102
        return self.gamma ** sum(progress >= milestone for milestone in self.milestones)
