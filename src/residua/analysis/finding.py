"""What a look inside a network found: a table, the figures that matter, a drawing, and a sentence.

A drawing is data (curves in panels), so that analysis needs no plotting library;
residua.report.finding_figure draws it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Cell = str | int | float | None


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A line, points or bars of a panel. A value that is not finite is a gap."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    style: Literal["line", "dashed", "points", "bars"] = "line"


@dataclass(frozen=True, kw_only=True)
class Surface:
    """A map of values over a plane: ``z[i][j]`` at ``(x[j], y[i])``; or an image, whose axes count pixels."""

    x: Sequence[float]
    y: Sequence[float]
    z: Sequence[Sequence[float]]
    label: str  # what z is, with its unit
    contours: bool = True  # False: colours alone
    # a picture of the same plane in [0, 1], grey (H, W) or RGB (H, W, 3), that a map in [0, 1] is laid over
    picture: Sequence[Sequence[Any]] | None = None


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One pair of axes of a drawing; the labels carry the units."""

    title: str
    x_label: str
    y_label: str
    curves: Sequence[Curve] = ()
    surface: Surface | None = None
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The answer of one kind of analysis about one network."""

    kind: str
    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]
    values: Mapping[str, Cell] = field(default_factory=dict)  # the figures that matter, by name
    sentence: str
    panels: Sequence[Panel]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: the figures by name, and the table; None where a number is not finite."""
        return {
            "schema": 1,
            "kind": self.kind,
            "title": self.title,
            **{name: _finite(value) for name, value in self.values.items()},
            "sentence": self.sentence,
            "columns": list(self.columns),
            "rows": [[_finite(cell) for cell in row] for row in self.rows],
        }


def _finite(value: Cell) -> Cell:
    return None if isinstance(value, float) and not math.isfinite(value) else value
