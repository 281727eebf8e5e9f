"""Statements about one arm alone: a figure lies above or below a bound, on average over seeds. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from residua.experiments.rules.directions import MAX_SEEDS, Check, Contrast, Evidence, judge


def above(measure: str, arm: str, bound: float, *, text: str) -> Contrast:
    """``measure`` of ``arm`` is above ``bound``, by the sequential test."""
    return Contrast(text=text, measure=measure, weights={arm: 1.0}, bound=bound)


def below(measure: str, arm: str, bound: float, *, text: str) -> Contrast:
    """``measure`` of ``arm`` is below ``bound``, by the sequential test, which sees both with the other sign."""
    return Contrast(text=text, measure=measure, weights={arm: -1.0}, bound=-bound)


@dataclass(frozen=True, kw_only=True)
class Between:
    """``measure`` of ``arm`` is above ``low`` and below ``high`` on average: both tests have to say so."""

    text: str
    measure: str
    arm: str
    low: float
    high: float

    def check(self, evidence: Evidence, max_seeds: int = MAX_SEEDS) -> Check:
        """As of ``Contrast``; a mean that is significantly outside is ``not reproduced``."""
        sides = (
            above(self.measure, self.arm, self.low, text=self.text),
            below(self.measure, self.arm, self.high, text=self.text),
        )
        verdict = judge(sides, evidence, max_seeds)
        over, under = (check.reason for check in verdict.checks)
        return Check(
            text=self.text,
            status=verdict.status,
            reason=f"above {self.low:g}: {over}; below {self.high:g}, with the other sign: {under}",
        )
