"""Rules: from what was measured to a verdict. Pure functions of numbers; each can be failed by a counterexample.

Where a claim is about a direction, seeds are compared in pairs by a sequential test: after each of the looks at
``FIRST_LOOK``, ..., ``max_seeds`` seeds a t-test at level ``ALPHA`` / claims / looks, once for the claim and once for
its opposite. The sum of the levels bounds the chance of a wrong decision by ``ALPHA`` over one statement of every claim
and all looks together (Bonferroni), whatever the looks have shown before. Three seeds decide nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from residua.experiments.claims import CLAIMS
from residua.experiments.rules.student import Sample, p_above

Status = Literal[
    "reproduced", "direction reproduced", "not reproduced", "undecided", "not judged at this scale"
]
Evidence = Mapping[str, Mapping[int, Mapping[str, Any]]]  # arm: seed: measure: value

ALPHA = 0.05  # chance that a direction is decided wrongly, over one of each claim
FIRST_LOOK = 4  # seeds
MAX_SEEDS = 8

# a share of so many samples cannot change by less than one of them
_COUNTED = {"test_error": "test_images", "train_error": "train_images", "early_train_error": "train_images"}


@dataclass(frozen=True, kw_only=True)
class Check:
    """What became of one statement."""

    text: str
    status: Status
    reason: str  # the numbers that it rests on


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a claim: the verdict of all its checks together."""

    status: Status
    checks: tuple[Check, ...]

    @property
    def decided(self) -> bool:
        """Whether more seeds would change nothing."""
        return all(check.status != "undecided" for check in self.checks)


class Rule(Protocol):
    """One statement that the evidence can confirm, refute or leave open."""

    @property
    def text(self) -> str:
        """The statement."""
        ...

    def check(self, evidence: Evidence, max_seeds: int = MAX_SEEDS) -> Check:
        """Whether it holds."""
        ...


@dataclass(frozen=True, kw_only=True)
class Paired:
    """The paired test as it stands: one-sided p of a direction and of its opposite, and the level that decides."""

    sample: Sample
    above: float
    below: float
    level: float

    @property
    def status(self) -> Status:
        """``direction reproduced`` or ``not reproduced`` once the test decides, ``undecided`` before."""
        if self.sample.n < FIRST_LOOK or min(self.above, self.below) >= self.level:
            return "undecided"
        return "direction reproduced" if self.above < self.below else "not reproduced"


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """A weighted sum of arms lies above ``bound``, on average over seeds: a direction, decided by the paired test."""

    text: str
    measure: str
    weights: Mapping[str, float]  # arm: weight
    bound: float = 0.0
    alpha: float = ALPHA / len(
        CLAIMS
    )  # of all looks together; what is no claim of the catalogue has a level of its own

    def check(self, evidence: Evidence, max_seeds: int = MAX_SEEDS) -> Check:
        """The status of the paired test, with its figures."""
        found = self.test(evidence, max_seeds)
        if found is None:
            return Check(
                text=self.text, status="undecided", reason=f"no seed has {self.measure} of every arm"
            )
        sample = found.sample
        spread = "" if sample.sd is None else f" ± {sample.sd:.3g}"
        return Check(
            text=self.text,
            status=found.status,
            reason=f"difference {sample.mean:+.4g}{spread} (n = {sample.n}); one-sided p {found.above:.2g} for, "
            f"{found.below:.2g} against; level {found.level:.2g}",
        )

    def test(self, evidence: Evidence, max_seeds: int = MAX_SEEDS) -> Paired | None:
        """The paired test on every seed that all arms have; None if there is none."""
        seeds = shared_seeds(evidence, self.weights, self.measure)
        if not seeds:
            return None
        values = [
            sum(w * float(evidence[arm][seed][self.measure]) for arm, w in self.weights.items())
            for seed in seeds
        ]
        sample, least = Sample.of(values), self._least_sd(evidence, seeds)
        mirrored = Sample(n=sample.n, mean=-sample.mean, sd=sample.sd)
        return Paired(
            sample=sample,
            above=p_above(sample, self.bound, least_sd=least),
            below=p_above(mirrored, -self.bound, least_sd=least),
            level=self.alpha / max(max_seeds - FIRST_LOOK + 1, 1),
        )

    def _least_sd(self, evidence: Evidence, seeds: Sequence[int]) -> float:
        """The spread of a difference of shares of n samples, in percent, that rounding to whole samples leaves."""
        if self.measure not in _COUNTED:
            return 0.0
        steps = [
            w * 100 / float(evidence[arm][seeds[0]][_COUNTED[self.measure]])
            for arm, w in self.weights.items()
        ]
        return (sum(step**2 for step in steps) / 12) ** 0.5


def greater(measure: str, arm: str, than: str, *, by: float = 0.0, text: str = "") -> Contrast:
    """``measure`` of ``arm`` is above that of ``than``, by more than ``by``."""
    return Contrast(
        text=text or f"{measure.replace('_', ' ')}: {arm} above {than}" + (f" by {by:g}" if by else ""),
        measure=measure,
        weights={arm: 1.0, than: -1.0},
        bound=by,
    )


@dataclass(frozen=True, kw_only=True)
class Alike:
    """Two arms differ by less than ``margin`` on average: both one-sided tests have to say so."""

    text: str
    measure: str
    arms: tuple[str, str]
    margin: float

    def check(self, evidence: Evidence, max_seeds: int = MAX_SEEDS) -> Check:
        """As of ``Contrast``; a difference that is significantly beyond the margin is ``not reproduced``."""
        a, b = self.arms
        below = greater(self.measure, a, b, by=-self.margin).check(evidence, max_seeds)
        above = greater(self.measure, b, a, by=-self.margin).check(evidence, max_seeds)
        return Check(
            text=self.text,
            status=_together([below.status, above.status]),
            reason=f"within ±{self.margin:g}: {below.reason}",
        )


@dataclass(frozen=True, kw_only=True)
class Within:
    """A figure lies in ``[low, high]`` for every seed: exact statements, which scale does not change."""

    text: str
    measure: str
    arm: str
    low: float = float("-inf")
    high: float = float("inf")

    def check(self, evidence: Evidence, max_seeds: int = MAX_SEEDS) -> Check:
        """``reproduced`` or ``not reproduced``."""
        found = [
            v[self.measure] for v in evidence.get(self.arm, {}).values() if v.get(self.measure) is not None
        ]
        if not found:
            return Check(text=self.text, status="undecided", reason=f"{self.arm} has no {self.measure}")
        values = [float(value) for value in found]
        holds = all(self.low <= value <= self.high for value in values)
        low, high = figure(min(values)), figure(max(values))
        span = low if low == high else f"{low} to {high}"
        return Check(
            text=self.text,
            status="reproduced" if holds else "not reproduced",
            reason=f"{self.arm}: {self.measure.replace('_', ' ')} {span} (n = {len(values)}); "
            f"claimed {_interval(self.low, self.high)}",
        )


@dataclass(frozen=True, kw_only=True)
class Number:
    """The mean over seeds is the published number, within ``tolerance``: for the scale of the paper."""

    text: str
    measure: str
    arm: str
    value: float
    tolerance: float

    def check(self, evidence: Evidence, max_seeds: int = MAX_SEEDS) -> Check:
        """``reproduced`` or ``not reproduced``; what the spread of the seeds cannot tell is ``undecided``."""
        seeds = shared_seeds(evidence, [self.arm], self.measure)
        if not seeds:
            return Check(text=self.text, status="undecided", reason=f"{self.arm} was not measured")
        sample = Sample.of([float(evidence[self.arm][seed][self.measure]) for seed in seeds])
        away = abs(sample.mean - self.value)
        noise = 0.0 if sample.sd is None else 2 * sample.sd / sample.n**0.5  # about 95 % of the means
        status: Status = "reproduced" if away <= self.tolerance else "not reproduced"
        if sample.sd is None or abs(away - self.tolerance) < noise:
            status = "undecided"
        spread = "" if sample.sd is None else f" ± {sample.sd:.3g}"
        return Check(
            text=self.text,
            status=status,
            reason=f"{self.arm}: {sample.mean:.4g}{spread} (n = {sample.n}), published {self.value:g}, "
            f"tolerance {self.tolerance:g}",
        )


def judge(rules: Sequence[Rule], evidence: Evidence, max_seeds: int = MAX_SEEDS) -> Verdict:
    """The verdict of all rules together: refuted by one, open while one is open, no better than the weakest."""
    checks = tuple(rule.check(evidence, max_seeds) for rule in rules)
    return Verdict(status=_together([check.status for check in checks]), checks=checks)


_WORST_FIRST: tuple[Status, ...] = (
    "not reproduced",
    "undecided",
    "not judged at this scale",
    "direction reproduced",
    "reproduced",
)


def _together(statuses: Sequence[Status]) -> Status:
    for status in _WORST_FIRST:
        if status in statuses:
            return status
    return "not judged at this scale"


def shared_seeds(evidence: Evidence, arms: Mapping[str, Any] | Sequence[str], measure: str) -> list[int]:
    """The seeds of which every arm has a finite value of ``measure``."""
    have = [
        {seed for seed, values in evidence.get(arm, {}).items() if values.get(measure) is not None}
        for arm in arms
    ]
    return sorted(set.intersection(*have)) if have else []


def figure(value: float) -> str:
    """A number as people read it: counts in full, anything else to four digits."""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.4g}"


def _interval(low: float, high: float) -> str:
    if low == high:
        return figure(low)
    if low == float("-inf"):
        return f"at most {figure(high)}"
    return f"at least {figure(low)}" if high == float("inf") else f"{figure(low)} to {figure(high)}"
