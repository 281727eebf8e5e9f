"""What a rule is, and what becomes of one statement, and of all of an experiment. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

Status = Literal[
    "reproduced", "direction reproduced", "not reproduced", "undecided", "not judged at this scale"
]
Evidence = Mapping[str, Mapping[int, Mapping[str, Any]]]  # arm: seed: measure: value

MAX_SEEDS = 8


class Ruling(NamedTuple):
    """What became of one statement."""

    status: Status
    reason: str  # the numbers that it rests on


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a claim: the verdict on all its statements together."""

    status: Status
    rulings: Mapping[str, Ruling]  # statement: what became of it

    @property
    def decided(self) -> bool:
        """Whether more seeds would change nothing."""
        return all(ruling.status != "undecided" for ruling in self.rulings.values())


class Rule(Protocol):
    """What has to hold for a statement: the evidence can confirm it, refute it or leave it open."""

    def check(self, evidence: Evidence, max_seeds: int = MAX_SEEDS) -> Ruling:
        """Whether it holds."""
        ...


def judge(rules: Mapping[str, Rule], evidence: Evidence, max_seeds: int = MAX_SEEDS) -> Verdict:
    """The verdict on all statements together: refuted by one, open while one is open, no better than the weakest."""
    rulings = {text: rule.check(evidence, max_seeds) for text, rule in rules.items()}
    return Verdict(status=weakest(ruling.status for ruling in rulings.values()), rulings=rulings)


_UNJUDGED: Status = "not judged at this scale"
_WEAKEST_FIRST: tuple[Status, ...] = (
    "not reproduced",
    "undecided",
    _UNJUDGED,
    "direction reproduced",
    "reproduced",
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
