"""The numbers behind a figure: what a pointer over a curve is told, and the table below it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from residua.report.numbers import figure as number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTED = 80  # points of a curve that tell their value
ROWS = 100  # of a table
PER_INCH = 72  # units of an SVG of matplotlib's


class DrawnCurve(Protocol):
    """What is told of a curve."""

    @property
    def called(self) -> str:
        """Its name."""
        ...

    @property
    def x(self) -> Sequence[float]:
        """Abscissas, in rising order."""
        ...

    @property
    def y(self) -> Sequence[float]:
        """Ordinates; NaN where there is none."""
        ...


def pointed(
    figure: Figure, axes: Axes, curves: Sequence[DrawnCurve], x_label: str
) -> list[tuple[str, str, str]]:
    """``(x, y, text)`` of points of the drawn figure, in units of its SVG."""
    height = figure.get_figheight()
    found = []
    for curve in curves:
        drawn = [(x, y) for x, y in zip(curve.x, curve.y, strict=True) if math.isfinite(y)]
        for x, y in _some(drawn, POINTED):
            across, up = axes.transData.transform((x, y)) / figure.dpi
            text = f"{curve.called}{': ' if curve.called else ''}{number(y)} ({x_label} {number(x)})"
            found.append((f"{PER_INCH * across:.1f}", f"{PER_INCH * (height - up):.1f}", text))
    return found


def table(curves: Sequence[DrawnCurve], x_label: str, y_label: str) -> dict[str, Any]:
    """``head`` and ``rows`` of a table, a column for each curve; ``all`` says how many rows there would be."""
    columns = [dict(zip(curve.x, curve.y, strict=True)) for curve in curves]
    places = sorted({x for column in columns for x in column})
    rows = [
        (number(x), *(number(column[x]) if x in column else "" for column in columns))
        for x in _some(places, ROWS)
    ]
    return {
        "head": [x_label, *(curve.called or y_label for curve in curves)],
        "rows": rows,
        "all": len(places),
    }


def _some(items: Sequence[Any], most: int) -> list[Any]:
    """At most so many of the items, evenly spaced, the last one always."""
    stride = max(1, math.ceil(len(items) / most))
    return [item for i, item in enumerate(items) if (len(items) - 1 - i) % stride == 0]
