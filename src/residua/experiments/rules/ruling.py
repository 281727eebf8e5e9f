"""What a rule is, and what becomes of one statement, and of all of an experiment. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from residua.experiments.rules.evalue import CERTAIN, DECIDES
from residua.experiments.rules.trail import Effect, Trail

Status = Literal[
    "exact",
    "checked in the source",
    "reproduced",
    "direction reproduced",
    "no difference that matters",
    "not reproduced",
    "undecided",
    "not judged at this scale",
]
HOLDS: tuple[Status, ...] = ("exact", "checked in the source", "reproduced", "direction reproduced")
Evidence = Mapping[str, Mapping[int, Mapping[str, Any]]]  # arm: seed: measure: value

MAX_SEEDS = 20  # a budget: no verdict depends on it


@dataclass(frozen=True)
class Ruling:
    """What became of one statement."""

    status: Status
    reason: str  # the numbers that it rests on
    trail: Trail | None = None  # E-values after every seed; None where chance has no part
    effect: Effect | None = None
    decides: bool = True  # whether the verdict of the experiment rests on it

    @property
    def against(self) -> Sequence[float]:
        """The E-value against the statement after every seed; certain where chance has no part."""
        if self.trail is not None:
            return self.trail.against
        return (CERTAIN if self.status == "not reproduced" else 0.0,)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as a result holds them."""
        return {
            "status": self.status,
            "reason": self.reason,
            "decides": self.decides,
            "trail": self.trail and self.trail.to_dict(),
            "effect": self.effect and self.effect.to_dict(),
        }


class Rule(Protocol):
    """What has to hold for a statement: the evidence can confirm it, refute it or leave it open."""

    def check(self, evidence: Evidence) -> Ruling:
        """Whether it holds."""
        ...


@dataclass(frozen=True)
class Reading:
    """A rule that is residua's reading of a text and not its statement: judged and shown, it decides no verdict."""

    rule: Rule

    def check(self, evidence: Evidence) -> Ruling:
        """As of the rule."""
        return replace(self.rule.check(evidence), decides=False)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a claim: the verdict on all its statements together."""

    status: Status
    rulings: Mapping[str, Ruling]  # statement: what became of it
    against: Sequence[float] = ()  # the mean over statements of the E-values against them, after every seed

    @property
    def decided(self) -> bool:
        """Whether more seeds would change nothing."""
        return self.status != "undecided"


def judge(rules: Mapping[str, Rule], evidence: Evidence) -> Verdict:
    """The verdict on all statements together.

    Reproduced (no better than the weakest) when each of them is: that all are true is a claim that fails with any of
    them, so no level is divided. Refuted once the mean of the E-values against them, itself an E-value of "all are
    true", has reached ``DECIDES``. Readings do not count.
    """
    rulings = {text: rule.check(evidence) for text, rule in rules.items()}
    deciding = [ruling for ruling in rulings.values() if ruling.decides]
    against = _mean_after_every_seed([ruling.against for ruling in deciding])
    if max(against, default=0.0) >= DECIDES:
        return Verdict(status="not reproduced", rulings=rulings, against=against)
    # a statement refuted among many that are not is too little to refute them all
    open_: Status = "undecided"
    status = weakest(open_ if ruling.status == "not reproduced" else ruling.status for ruling in deciding)
    return Verdict(status=status, rulings=rulings, against=against)


def _mean_after_every_seed(curves: Sequence[Sequence[float]]) -> list[float]:
    """Of curves of several lengths, of which the last value stands for what follows."""
    known = [curve for curve in curves if curve]
    longest = max(map(len, known), default=0)
    return [sum(c[min(i, len(c) - 1)] for c in known) / len(curves) for i in range(longest)]


_UNJUDGED: Status = "not judged at this scale"
_WEAKEST_FIRST: tuple[Status, ...] = (
    "not reproduced",
    "undecided",
    _UNJUDGED,
    "no difference that matters",
    "direction reproduced",
    "reproduced",
    "checked in the source",
    "exact",
)


def weakest(statuses: Iterable[Status]) -> Status:
    """The status that decides; of nothing, that nothing is judged."""
    given = set(statuses)
    for status in _WEAKEST_FIRST:
        if status in given:
            return status
    return _UNJUDGED


def shared_seeds(evidence: Evidence, arms: Iterable[str], measure: str) -> list[int]:
    """The seeds of which every arm has a finite value of ``measure``."""
    have = [
        {seed for seed, values in evidence.get(arm, {}).items() if values.get(measure) is not None}
        for arm in arms
    ]
    return sorted(set.intersection(*have)) if have else []


def figure(value: float) -> str:
    """A number as people read it: counts in full, anything else to four digits."""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.4g}"
