"""Look-ahead (Zhang et al. 2019, arXiv 1907.08610): slow weights follow the fast ones, which go on from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from residua.errors import UsageError
from residua.parts import register
from residua.spec import Averaging, positive


@register
@dataclass(frozen=True, kw_only=True)
class Lookahead(Averaging):
    """After every ``steps`` steps the slow weights go ``alpha`` of the way to the fast ones, which go on from there.

    With ``ramp`` above 0 they go all the way at first, and ``alpha`` of it at the end: 1 - (1 - alpha) progress^ramp.
    Jordan 2024 (arXiv 2404.00498) has 5 steps, alpha 0.226 and ramp 3, and says that it helps beside batch norms that
    forget fast. Slow weights are evaluated and kept; steps after the last whole ``steps`` are not in them.
    """

    kind: ClassVar[str] = "lookahead"
    goes_on: ClassVar[bool] = True

    steps: int = 5
    alpha: float = 0.5
    ramp: float = 0.0

    def validate(self) -> None:  # noqa: D102
        positive(self, "steps")
        if not 0 < self.alpha <= 1:
            raise UsageError(f"{self.title()}.alpha must be above 0 and at most 1, not {self.alpha}")
        if self.ramp < 0:
            raise UsageError(f"{self.title()}.ramp cannot be negative, not {self.ramp}")

    def share(self, step: int, total_steps: int, epoch_steps: int) -> float:  # noqa: D102
        if step % self.steps:
            return 0.0
        return 1 - (1 - self.alpha) * (step / total_steps) ** self.ramp
