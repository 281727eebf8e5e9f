"""The mean and spread of a measure over seeds."""

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
