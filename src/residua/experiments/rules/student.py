"""Student's t for paired seeds: all the statistics that the verdicts need, without a library of statistics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Mean, standard deviation (n - 1) and number of values; the deviation of one value is not known."""

    n: int
    mean: float
    sd: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Sample:
        """The sample of at least one value."""
        n = len(values)
        mean = math.fsum(values) / n
        sd = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1)) if n > 1 else None
        return cls(n=n, mean=mean, sd=sd)


def p_above(sample: Sample, bound: float, *, least_sd: float = 0.0) -> float:
    """One-sided p-value of the t-test whose null hypothesis is "the mean is at most ``bound``".

    ``least_sd`` is the spread that counting alone gives a difference of shares: seeds that happen to agree to the last
    image are no proof of a spread of zero. One value decides nothing: 1.
    """
    if sample.sd is None:
        return 1.0
    sd, distance = max(sample.sd, least_sd), sample.mean - bound
    if sd == 0:
        return 0.0 if distance > 0 else 1.0
    return survival(distance / (sd / math.sqrt(sample.n)), sample.n - 1)


_SMALLEST = 1e-9  # the series below cancels beyond this


def survival(t: float, degrees: int) -> float:
    """P(T > t) of Student's distribution with a whole number of degrees of freedom; nothing below 1e-9.

    The finite series of Abramowitz & Stegun, 26.7.3 and 26.7.4.
    """
    if degrees < 1:
        raise ValueError(f"degrees of freedom are 1 or more, not {degrees}")
    theta = math.atan2(abs(t), math.sqrt(degrees))
    cos2, sin, odd = math.cos(theta) ** 2, math.sin(theta), degrees % 2
    term = math.cos(theta) if odd else 1.0
    total = 0.0 if degrees == 1 else term
    for k in range(3 if odd else 2, degrees - 1, 2):
        term *= cos2 * (k - 1) / k
        total += term
    inside = (theta + sin * total) * 2 / math.pi if odd else sin * total
    tail = max((1 - inside) / 2, _SMALLEST)
    return tail if t >= 0 else 1 - tail
