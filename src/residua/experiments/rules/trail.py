"""What seeds have said so far: E-values after each of them, the effect with its interval, and how far it is to go."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from residua.experiments.rules.evalue import DECIDES, FEWEST, deciding_t, e_value
from residua.experiments.rules.sample import Sample

Decision = Literal["toward", "against", "alike"]
Kind = Literal["mean", "difference", "ratio"]
_FARTHEST = 1000  # seeds that anybody would wait for
_DIGITS = 4


@dataclass(frozen=True, kw_only=True)
class Trail:
    """E-values after 1, 2, ... seeds: for a statement, against it, and for no difference of the size that matters."""

    toward: tuple[float, ...]
    against: tuple[float, ...]
    alike: tuple[float, ...] = ()  # empty where no such size is declared

    @classmethod
    def of(
        cls,
        values: Sequence[float],
        toward: Callable[[Sample], float],
        against: Callable[[Sample], float],
        alike: Callable[[Sample], float] | None = None,
    ) -> Trail:
        """The trail of values in the order of their seeds."""
        samples = [Sample.of(values[:n]) for n in range(1, len(values) + 1)]
        return cls(
            toward=tuple(map(toward, samples)),
            against=tuple(map(against, samples)),
            alike=tuple(map(alike, samples)) if alike else (),
        )

    @property
    def decision(self) -> Decision | None:
        """Which E-value was the first to decide: it stays so, whatever came later. None while none has."""
        curves: dict[Decision, tuple[float, ...]] = {
            "toward": self.toward,
            "against": self.against,
            "alike": self.alike,
        }
        reached: dict[Decision, int] = {
            name: next(n for n, e in enumerate(curve) if e >= DECIDES)
            for name, curve in curves.items()
            if max(curve, default=0.0) >= DECIDES
        }
        return min(reached, key=lambda name: reached[name]) if reached else None

    def to_dict(self) -> dict[str, list[float]]:
        """Plain values, rounded."""
        return {name: [rounded(e) for e in curve] for name, curve in asdict(self).items()}


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A mean, a difference or a ratio over seeds, with an interval that holds at every look together (95 %)."""

    kind: Kind
    n: int
    mean: float
    sd: float | None  # of a ratio the factor by which seeds differ
    low: float | None  # what no E-value has ruled out; None before FEWEST seeds
    high: float | None
    bound: float  # what it is held against
    smallest: float | None  # the smallest difference from the bound (of a ratio: factor) that matters
    more_seeds: (
        int | None
    )  # that it would take to decide, were it what it seems to be; None if more than a thousand

    @classmethod
    def of(
        cls,
        sample: Sample,
        *,
        least_sd: float,
        bound: float,
        smallest: float | None,
        kind: Kind,
    ) -> Effect:
        """The effect of a sample; that of a ``ratio`` is of logarithms, as are bound and smallest."""
        sd = None if sample.sd is None else max(sample.sd, least_sd)
        low = high = None
        if sd is not None and sample.n >= FEWEST:
            half = deciding_t(sample.n) * sd / math.sqrt(sample.n)
            low, high = sample.mean - half, sample.mean + half
        told = (sample.mean, sample.sd, low, high, bound, smallest)
        if kind == "ratio":
            told = tuple(None if value is None else math.exp(min(value, 700.0)) for value in told)
        mean, spread, low, high, shown, matters = told
        assert mean is not None and shown is not None
        return cls(
            kind=kind,
            n=sample.n,
            mean=mean,
            sd=spread,
            low=low,
            high=high,
            bound=shown,
            smallest=matters,
            more_seeds=_more_seeds(sample.n, abs(sample.mean - bound), sd),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded."""
        return {
            name: rounded(value) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }


def _more_seeds(n: int, distance: float, sd: float | None) -> int | None:
    """How many seeds more than ``n`` a mean at this distance from its bound needs to decide, in either direction."""
    if not sd or not distance:
        return 0 if distance and sd == 0 and n >= FEWEST else None

    def enough(seeds: int) -> bool:
        return e_value(seeds, distance / sd * math.sqrt(seeds)) >= DECIDES

    low, high = 0, 1  # more than n: low is not enough (or nothing), high is
    while n + high < FEWEST or not enough(n + high):
        low, high = high, 2 * high
        if n + high > _FARTHEST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if n + middle >= FEWEST and enough(n + middle) else (middle, high)
    return high


def rounded(value: float) -> float:
    """With the digits that a result keeps."""
    return float(f"{value:.{_DIGITS}g}")
