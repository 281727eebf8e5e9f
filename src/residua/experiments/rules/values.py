"""Rules about figures as they are printed: those in which chance has no part, and published ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from residua.experiments.rules.directions import between
from residua.experiments.rules.ruling import Evidence, Ruling, figure, shared_seeds

_INFINITE = float("inf")


@dataclass(frozen=True)
class Within:
    """A figure lies in ``[low, high]`` for every seed; where ``of`` is another arm, divided by that of it.

    For what follows from networks or tables alone, as counts do; a figure that chance has a part in is for ``above``,
    ``below`` and ``between``.
    """

    measure: str
    arm: str
    low: float = -_INFINITE
    high: float = _INFINITE
    of: str = ""
    holds: Literal["exact", "checked in the source"] = "exact"  # the word for it where it holds

    def check(self, evidence: Evidence) -> Ruling:
        """``exact`` (or what ``holds`` says) or ``not reproduced``."""
        seeds = shared_seeds(evidence, filter(None, (self.arm, self.of)), self.measure)
        if not seeds:
            return Ruling("undecided", f"{self.arm} has no {self.measure}")
        values = [float(evidence[self.arm][seed][self.measure]) for seed in seeds]
        name = f"{self.arm}: {self.measure.replace('_', ' ')}"
        if self.of:
            values = [v / evidence[self.of][s][self.measure] for v, s in zip(values, seeds, strict=True)]
            name = f"ratio: {self.measure.replace('_', ' ')} of {self.arm} in that of {self.of}"
        span = " to ".join(dict.fromkeys((figure(min(values)), figure(max(values)))))
        return Ruling(
            self.holds if all(self.low <= v <= self.high for v in values) else "not reproduced",
            f"{name} {span} (n = {len(values)}); claimed {_interval(self.low, self.high)}",
        )


def exactly(measure: str, arm: str, value: float, *, of: str = "") -> Within:
    """``measure`` of ``arm`` is ``value``."""
    return Within(measure, arm, value, value, of)


def at_least(measure: str, arm: str, value: float, *, of: str = "") -> Within:
    """``measure`` of ``arm`` is ``value`` or more."""
    return Within(measure, arm, low=value, of=of)


def at_most(measure: str, arm: str, value: float, *, of: str = "") -> Within:
    """``measure`` of ``arm`` is ``value`` or less."""
    return Within(measure, arm, high=value, of=of)


def looked_up(measure: str, arm: str, value: float) -> Within:
    """``measure`` of ``arm``, a figure of a published table, is printed there as ``value``."""
    return Within(measure, arm, value, value, holds="checked in the source")


@dataclass(frozen=True)
class Number:
    """The mean over seeds is the published number, within ``tolerance``: for the scale of the paper."""

    measure: str
    arm: str
    value: float
    tolerance: float

    def check(self, evidence: Evidence) -> Ruling:
        """``reproduced`` or ``not reproduced``; what the spread of the seeds cannot tell is ``undecided``."""
        low, high = self.value - self.tolerance, self.value + self.tolerance
        ruling = between(self.measure, self.arm, low, high).check(evidence)
        told = f"{self.arm}: published {self.value:g}, tolerance {self.tolerance:g}"
        return replace(ruling, reason=f"{told}; {ruling.reason}")


def published_errors(errors: Mapping[str, float], tolerance: float) -> dict[str, Number]:
    """Statements: the test error of each arm, in percent, is the published one."""
    return {
        f"{arm}: the published error": Number("test_error", arm, error, tolerance)
        for arm, error in errors.items()
    }


def _interval(low: float, high: float) -> str:
    if low == high:
        return figure(low)
    if low == -_INFINITE:
        return f"at most {figure(high)}"
    return f"at least {figure(low)}" if high == _INFINITE else f"{figure(low)} to {figure(high)}"
