"""Rules about means over seeds; each can be failed by a counterexample. Imports no torch.

Seeds are compared in pairs: with the same seed, arms see the same images in the same order. After each seed an E-value
(``evalue``) says how strongly the differences speak for the statement, another how strongly they speak against it; the
first to reach 40 decides, and that stays. So the chance of a wrong decision is at most 1/40 in each direction, with any
number of seeds, however often one looks, whatever other statements there are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from residua.experiments.rules.evalue import e_above, e_below
from residua.experiments.rules.ruling import Evidence, Ruling, Status, shared_seeds
from residua.experiments.rules.sample import Sample
from residua.experiments.rules.trail import Decision, Effect, Kind, Trail

# a share of so many samples cannot change by less than one of them
_COUNTED = {"test_error": "test_images", "train_error": "train_images", "early_train_error": "train_images"}


@dataclass(frozen=True)
class Pairs:
    """A weighted sum of arms (of the logarithms of their values, if ``log``) for every seed that all of them have."""

    values: tuple[float, ...] = ()
    least_sd: float = 0.0  # that rounding to whole samples leaves
    missing: str = ""  # why there are none

    @classmethod
    def of(cls, evidence: Evidence, measure: str, weights: Mapping[str, float], *, log: bool) -> Pairs:
        """The sums in the order of the seeds."""
        seeds = shared_seeds(evidence, weights, measure)
        if not seeds:
            return cls(missing=f"no seed has {measure} of every arm")
        known = [{arm: float(evidence[arm][seed][measure]) for arm in weights} for seed in seeds]
        if log and any(min(values.values()) <= 0 for values in known):
            return cls(missing=f"{measure} is not above 0 in every arm and seed: there is no ratio")
        sums = (
            math.fsum(w * (math.log(values[arm]) if log else values[arm]) for arm, w in weights.items())
            for values in known
        )
        return cls(tuple(sums), _least_sd(evidence, measure, weights, seeds[0], log))


def _least_sd(evidence: Evidence, measure: str, weights: Mapping[str, float], seed: int, log: bool) -> float:
    """The spread of a sum of shares of n samples, in percent, that rounding to whole samples leaves."""
    counts = [evidence[arm][seed].get(_COUNTED.get(measure, "")) for arm in weights]
    steps = [w * 100 / float(count) for w, count in zip(weights.values(), counts, strict=True) if count]
    if len(steps) < len(counts):
        return 0.0
    if log:
        steps = [s / float(evidence[arm][seed][measure]) for s, arm in zip(steps, weights, strict=True)]
    return (sum(step**2 for step in steps) / 12) ** 0.5


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of arms lies above ``bound`` (or below it), on average over seeds: a direction.

    ``smallest`` is the smallest distance from the bound that matters: that the sum is nearer is a verdict of its own.
    With ``log`` the sum, bound and smallest are of logarithms: ratios.
    """

    words: ClassVar[Mapping[Decision, Status]] = {
        "toward": "direction reproduced",
        "against": "not reproduced",
        "alike": "no difference that matters",
    }
    measure: str
    weights: Mapping[str, float]  # arm: weight
    bound: float = 0.0
    smallest: float | None = None
    side: Literal["above", "below"] = "above"
    log: bool = False

    def check(self, evidence: Evidence) -> Ruling:
        """The status that the first deciding E-value gives, with the figures."""
        pairs = Pairs.of(evidence, self.measure, self.weights, log=self.log)
        if pairs.missing:
            return Ruling("undecided", pairs.missing)
        least = {"least_sd": pairs.least_sd}
        toward, against = (e_above, e_below) if self.side == "above" else (e_below, e_above)
        low, high = self.bound - (self.smallest or 0), self.bound + (self.smallest or 0)
        trail = Trail.of(
            pairs.values,
            toward=lambda s: toward(s, self.bound, **least),
            against=lambda s: against(s, self.bound, **least),
            alike=(lambda s: min(e_above(s, low, **least), e_below(s, high, **least)))
            if self.smallest
            else None,
        )
        effect = Effect.of(
            Sample.of(pairs.values),
            bound=self.bound,
            smallest=self.smallest,
            kind=_kind(self.weights, self.log),
            **least,
        )
        return Ruling(_status(trail, self.words), _reason(trail, effect), trail, effect)


@dataclass(frozen=True)
class Interval:
    """A weighted sum of arms lies between ``low`` and ``high``, on average over seeds; of logarithms with ``log``.

    Both bounds have to be cleared; against it speaks the mean of the E-values of lying below and above.
    """

    words: ClassVar[Mapping[Decision, Status]] = {"toward": "reproduced", "against": "not reproduced"}
    measure: str
    weights: Mapping[str, float]
    low: float
    high: float
    log: bool = False

    def check(self, evidence: Evidence) -> Ruling:
        """The status that the first deciding E-value gives, with the figures."""
        pairs = Pairs.of(evidence, self.measure, self.weights, log=self.log)
        if pairs.missing:
            return Ruling("undecided", pairs.missing)
        least = {"least_sd": pairs.least_sd}
        trail = Trail.of(
            pairs.values,
            toward=lambda s: min(e_above(s, self.low, **least), e_below(s, self.high, **least)),
            against=lambda s: (e_below(s, self.low, **least) + e_above(s, self.high, **least)) / 2,
        )
        sample = Sample.of(pairs.values)
        nearer = min((self.low, self.high), key=lambda bound: abs(bound - sample.mean))
        effect = Effect.of(sample, bound=nearer, smallest=None, kind=_kind(self.weights, self.log), **least)
        ends = [math.exp(end) if self.log else end for end in (self.low, self.high)]
        reason = f"claimed {ends[0]:.4g} to {ends[1]:.4g}; {_reason(trail, effect)}"
        return Ruling(_status(trail, self.words), reason, trail, effect)


def greater(measure: str, arm: str, than: str, *, by: float = 0.0, smallest: float) -> Contrast:
    """``measure`` of ``arm`` is above that of ``than``, by more than ``by``."""
    return Contrast(measure, {arm: 1.0, than: -1.0}, by, smallest)


def above(measure: str, arm: str, bound: float, *, smallest: float) -> Contrast:
    """``measure`` of ``arm`` is above ``bound``."""
    return Contrast(measure, {arm: 1.0}, bound, smallest)


def below(measure: str, arm: str, bound: float, *, smallest: float) -> Contrast:
    """``measure`` of ``arm`` is below ``bound``."""
    return Contrast(measure, {arm: 1.0}, bound, smallest, side="below")


def times(measure: str, arm: str, than: str, *, factor: float = 1.0, smallest: float) -> Contrast:
    """``measure`` of ``arm`` is more than ``factor`` times that of ``than``; ``smallest`` is a factor above 1."""
    return Contrast(measure, {arm: 1.0, than: -1.0}, math.log(factor), math.log(smallest), log=True)


def between(measure: str, arm: str, low: float, high: float) -> Interval:
    """``measure`` of ``arm`` lies between ``low`` and ``high`` on average."""
    return Interval(measure, {arm: 1.0}, low, high)


def alike(measure: str, a: str, b: str, margin: float) -> Interval:
    """Two arms differ by less than ``margin`` on average."""
    return Interval(measure, {a: 1.0, b: -1.0}, -margin, margin)


def _kind(weights: Mapping[str, float], log: bool) -> Kind:
    return "ratio" if log else "difference" if len(weights) > 1 else "mean"


def _status(trail: Trail, words: Mapping[Decision, Status]) -> Status:
    return words[trail.decision] if trail.decision else "undecided"


def _reason(trail: Trail, effect: Effect) -> str:
    """The figures in words: the effect, the E-values, and what it would take where they do not decide."""
    sign = "+" if effect.kind == "difference" else ""
    by = " ×/ " if effect.kind == "ratio" else " ± "
    spread = "" if effect.sd is None else f"{by}{effect.sd:.3g}"
    said = [f"{effect.kind} {effect.mean:{sign}.4g}{spread} (n = {effect.n})"]
    if effect.low is not None and effect.high is not None:
        said[0] += f", interval {effect.low:{sign}.4g} to {effect.high:{sign}.4g}"
    said.append(f"E-value {trail.toward[-1]:.3g} for, {trail.against[-1]:.3g} against")
    if effect.smallest:
        size = f"a factor of {effect.smallest:g}" if effect.kind == "ratio" else f"{effect.smallest:g}"
        said.append(f"{trail.alike[-1]:.3g} for a difference below {size}")
    if trail.decision is None:
        more = "more than a thousand" if effect.more_seeds is None else f"{effect.more_seeds}"
        said.append(f"seeds that it would still take at this effect: {more}")
    return "; ".join(said)
