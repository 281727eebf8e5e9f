"""Rules about directions; each can be failed by a counterexample. Imports no torch.

Where a claim is about a direction, seeds are compared in pairs by a sequential test: after each of the looks at
``FIRST_LOOK``, ..., ``max_seeds`` seeds a t-test at level ``ALPHA`` / claims / looks, once for the claim and once for
its opposite. The sum of the levels bounds the chance of a wrong decision by ``ALPHA`` over one statement of every claim
and all looks together (Bonferroni), whatever the looks have shown before. Three seeds decide nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from residua.experiments.claims import CLAIMS
from residua.experiments.rules.ruling import MAX_SEEDS, Evidence, Ruling, Status, shared_seeds, weakest
from residua.experiments.rules.student import Sample, p_above

ALPHA = 0.05  # chance that a direction is decided wrongly, over one of each claim of the catalogue
FIRST_LOOK = 4  # seeds

# a share of so many samples cannot change by less than one of them
_COUNTED = {"test_error": "test_images", "train_error": "train_images", "early_train_error": "train_images"}


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


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of arms lies above ``bound``, on average over seeds: a direction, decided by the paired test."""

    measure: str
    weights: Mapping[str, float]  # arm: weight
    bound: float = 0.0
    alpha: float = ALPHA / len(
        CLAIMS
    )  # of all looks together; a claim beyond the catalogue adds as much again

    def check(self, evidence: Evidence, max_seeds: int = MAX_SEEDS) -> Ruling:
        """The status of the paired test, with its figures."""
        test = self.test(evidence, max_seeds)
        if test is None:
            return Ruling("undecided", f"no seed has {self.measure} of every arm")
        sample = test.sample
        spread = "" if sample.sd is None else f" ± {sample.sd:.3g}"
        return Ruling(
            test.status,
            f"difference {sample.mean:+.4g}{spread} (n = {sample.n}); one-sided p {test.above:.2g} for, "
            f"{test.below:.2g} against; level {test.level:.2g}",
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
        counted = _COUNTED[self.measure]
        steps = [w * 100 / float(evidence[arm][seeds[0]][counted]) for arm, w in self.weights.items()]
        return (sum(step**2 for step in steps) / 12) ** 0.5


def greater(measure: str, arm: str, than: str, *, by: float = 0.0) -> Contrast:
    """``measure`` of ``arm`` is above that of ``than``, by more than ``by``."""
    return Contrast(measure, {arm: 1.0, than: -1.0}, by)


def above(measure: str, arm: str, bound: float) -> Contrast:
    """``measure`` of ``arm`` is above ``bound``."""
    return Contrast(measure, {arm: 1.0}, bound)


def below(measure: str, arm: str, bound: float) -> Contrast:
    """``measure`` of ``arm`` is below ``bound``; the test sees both with the other sign."""
    return Contrast(measure, {arm: -1.0}, -bound)


@dataclass(frozen=True)
class Both:
    """Two directions hold: both tests have to say so. ``reason`` is filled with the reasons of the two."""

    one: Contrast
    other: Contrast
    reason: str

    def check(self, evidence: Evidence, max_seeds: int = MAX_SEEDS) -> Ruling:
        """As of ``Contrast``; what is significantly outside is ``not reproduced``."""
        one, other = self.one.check(evidence, max_seeds), self.other.check(evidence, max_seeds)
        return Ruling(weakest((one.status, other.status)), self.reason.format(one.reason, other.reason))


def between(measure: str, arm: str, low: float, high: float) -> Both:
    """``measure`` of ``arm`` is above ``low`` and below ``high`` on average."""
    reason = f"above {low:g}: {{}}; below {high:g}, with the other sign: {{}}"
    return Both(above(measure, arm, low), below(measure, arm, high), reason)


def alike(measure: str, a: str, b: str, margin: float) -> Both:
    """Two arms differ by less than ``margin`` on average."""
    sides = greater(measure, a, b, by=-margin), greater(measure, b, a, by=-margin)
    return Both(*sides, reason=f"within ±{margin:g}: {{0}}")
