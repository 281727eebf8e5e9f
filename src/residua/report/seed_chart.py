"""Arms beside each other: a row each with a dot for every seed, the mean, and the published values as marks.

Drawn in HTML alone: names of any length wrap beside their row, and a telephone shows them as well as paper does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from residua.experiments.rules.sample import Sample
from residua.report.charts import LARGEST, SMALLEST
from residua.report.numbers import figure, short
from residua.report.render import fill

_LOG_FROM = 300  # values that span a larger factor stand on a logarithmic axis
_TICKS = 4
_LONG = 1e4  # from which on the number at a tick gets a prefix
_MOST = 200  # seeds of a row
_MARGIN = 0.04  # of the axis, at both ends


@dataclass(frozen=True)
class SeedRow:
    """An arm: its name, a value for every seed, and published values."""

    name: str
    seeds: Sequence[float]
    marks: Sequence[float] = ()

    @property
    def sample(self) -> Sample:
        """Mean and spread of the seeds."""
        return Sample.of(self.seeds)


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    log: bool

    def at(self, value: float) -> str:
        """Where a value stands, in percent of the width."""
        low, high, value = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        share = (value - low) / (high - low)
        return f"{100 * (_MARGIN + (1 - 2 * _MARGIN) * min(max(share, 0.0), 1.0)):.2f}%"

    def ticks(self) -> list[float]:
        """A few round numbers on the axis."""
        if self.log:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            return [10.0**k for k in range(first, last + 1, max(1, math.ceil((last - first) / _TICKS)))]
        step = 10 ** math.floor(math.log10((self.high - self.low) / _TICKS))
        step *= next(m for m in (1, 2, 5, 10) if (self.high - self.low) / (step * m) <= _TICKS)
        return [k * step for k in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]


def seed_chart(rows: Sequence[SeedRow], *, title: str, note: str = "") -> Markup | None:
    """The chart of one measure, with the mean and its standard deviation as text at each row; None without a number."""
    drawn = [SeedRow(row.name, _drawable(row.seeds)[:_MOST], _drawable(row.marks)) for row in rows]
    drawn = [row for row in drawn if row.seeds]
    if not drawn:
        return None
    axis = _axis([value for row in drawn for value in (*row.seeds, *row.marks)])
    ticks = [(axis.at(tick), _tick(tick)) for tick in axis.ticks()]
    return fill("seed_chart.html", title=title, rows=drawn, axis=axis, ticks=ticks, note=note)


def _tick(value: float) -> str:
    return short(value) if abs(value) >= _LONG else figure(value)


def _drawable(values: Sequence[float]) -> list[float]:
    return [value for value in values if value == 0 or SMALLEST < abs(value) < LARGEST]


def _axis(values: Sequence[float]) -> _Axis:
    low, high = min(values), max(values)
    if low > 0 and high / low > _LOG_FROM:
        return _Axis(low, high, log=True)
    if low >= 0 and low < 0.5 * high:
        low = 0.0  # so near that the zero tells more than the space it takes
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # all the same: the dot stands in the middle
        half = abs(high) / 10 or 1.0
        return _Axis(low - half, high + half, log=False)
    return _Axis(low, high, log=False)
