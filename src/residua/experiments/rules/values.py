"""Rules about figures as they are printed: exact ones, which scale does not change, and published ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from residua.experiments.rules.ruling import MAX_SEEDS, Evidence, Ruling, Status, figure, shared_seeds
from residua.experiments.rules.student import Sample

_INFINITE = float("inf")


@dataclass(frozen=True)
class Within:
    """A figure lies in ``[low, high]`` for every seed; where ``of`` is another arm, divided by that of it."""

    measure: str
    arm: str
    low: float = -_INFINITE
    high: float = _INFINITE
    of: str = ""

    def check(self, evidence: Evidence, max_seeds: int = MAX_SEEDS) -> Ruling:
        """``reproduced`` or ``not reproduced``."""
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
            "reproduced" if all(self.low <= v <= self.high for v in values) else "not reproduced",
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


@dataclass(frozen=True)
class Number:
    """The mean over seeds is the published number, within ``tolerance``: for the scale of the paper."""

    measure: str
    arm: str
    value: float
    tolerance: float

    def check(self, evidence: Evidence, max_seeds: int = MAX_SEEDS) -> Ruling:
        """``reproduced`` or ``not reproduced``; what the spread of the seeds cannot tell is ``undecided``."""
        seeds = shared_seeds(evidence, [self.arm], self.measure)
        if not seeds:
            return Ruling("undecided", f"{self.arm} was not measured")
        sample = Sample.of([float(evidence[self.arm][seed][self.measure]) for seed in seeds])
        away = abs(sample.mean - self.value)
        noise = 0.0 if sample.sd is None else 2 * sample.sd / sample.n**0.5  # about 95 % of the means
        status: Status = "reproduced" if away <= self.tolerance else "not reproduced"
        if sample.sd is None or abs(away - self.tolerance) < noise:
            status = "undecided"
        spread = "" if sample.sd is None else f" ± {sample.sd:.3g}"
        return Ruling(
            status,
            f"{self.arm}: {sample.mean:.4g}{spread} (n = {sample.n}), published {self.value:g}, "
            f"tolerance {self.tolerance:g}",
        )


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
