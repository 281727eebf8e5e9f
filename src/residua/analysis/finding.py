"""What a look inside a network found: a table, the figures that matter, a drawing, and a sentence.

A drawing is data (curves in panels), so that analysis needs no plotting library;
residua.report.finding_figure draws it.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from residua import cards

_SHOWN = 12  # rows of a table in a notebook

Cell = str | int | float | None
Style = Literal["line", "dashed", "points", "bars"]
UNITS = "unit, from input to output"


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A line, points or bars of a panel. A value that is not finite is a gap."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    style: Style = "line"


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
    left_out: int = 0  # zeros and negative numbers, which have no place on a logarithmic axis


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The answer of one kind of analysis about one network."""

    kind: str
    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]
    values: Mapping[str, Cell] = field(default_factory=dict)  # the figures that matter, by name
    sentence: str
    panels: Sequence[Panel] = ()

    def _repr_html_(self) -> str:
        rows = [[_cell(cell) for cell in row] for row in self.rows[:_SHOWN]]
        left = [cards.text(f"... and {len(self.rows) - _SHOWN} more rows")] if len(self.rows) > _SHOWN else []
        drawn = [cards.figure(_draw(self), self.title)] if self.panels else []
        return cards.card(
            self.title, cards.text(self.sentence), *drawn, cards.table(rows, self.columns), *left
        )

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


def lines(
    title: str,
    y_label: str,
    curves: Mapping[str, Sequence[float | None]],
    *,
    x: Sequence[float] | None = None,
    x_label: str = UNITS,
    styles: Mapping[str, Style] | None = None,
    log_x: bool = False,
    log_y: bool = False,
) -> Panel:
    """A panel of curves by label, all over ``x`` or 1, 2, 3 ...; lines unless ``styles`` says otherwise.

    None is a gap, and so is what has no place on a logarithmic axis, which is counted.
    """
    left_out = sum(log_y and v is not None and v <= 0 for y in curves.values() for v in y)
    drawn = [
        Curve(
            label=label,
            x=range(1, len(y) + 1) if x is None else x,
            y=[math.nan if v is None or (log_y and v <= 0) else v for v in y],
            style=(styles or {}).get(label, "line"),
        )
        for label, y in curves.items()
    ]
    axes = {"log_x": log_x, "log_y": log_y, "left_out": left_out}
    return Panel(title=title, x_label=x_label, y_label=y_label, curves=drawn, **axes)


def tabulated(*rows: Mapping[str, Cell]) -> dict[str, Any]:
    """``columns`` and ``rows`` of a Finding, of rows by column; what a row does not say is None."""
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    return {"columns": columns, "rows": [tuple(row.get(name) for name in columns) for row in rows]}


def rows_of_figures(values: Mapping[str, Cell]) -> dict[str, Any]:
    """``values`` of a Finding that has no other table: a row a figure."""
    rows = [{"figure": name.replace("_", " "), "value": value} for name, value in values.items()]
    return {"values": values, **tabulated(*rows)}


def _draw(finding: Finding) -> bytes:
    """The figure as SVG. What draws is a room above, and asked for by name when a notebook wants a picture."""
    drawing: bytes = importlib.import_module("residua.report.finding_figure").svg(finding)
    return drawing


def _cell(value: Cell) -> str:
    return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _finite(value: Cell) -> Cell:
    return None if isinstance(value, float) and not math.isfinite(value) else value
