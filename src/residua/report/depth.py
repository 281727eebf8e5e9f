"""What the inspection measured from the input to the output: gradient norms of units, responses of layers."""

from __future__ import annotations

import math
from functools import partial
from typing import Literal

from residua.report.charts import ChartSeries, line_chart
from residua.report.curves import Named, run_label
from residua.report.run_tables import SectionValues
from residua.report.translation import Translate

Kind = Literal["residual", "plain"]
KINDS: tuple[Kind, ...] = ("residual", "plain")


def depth(runs: Named, t: Translate) -> SectionValues:
    """Gradient norm by unit and response by layer; None if no run was inspected for either."""
    gradient = [series for i, _ in enumerate(runs) for series in _gradient(runs, i, t)]
    response = [series for i, _ in enumerate(runs) for series in _response(runs, i, t)]
    chart = partial(line_chart, t=t)
    charts = []
    if gradient:
        title, x, y = (t(key) for key in ("gradient", "unit_axis", "gradient_axis"))
        charts.append(chart(gradient, title=title, x_label=x, y_label=y, log=True))
    if response:
        title, x, y = (t(key) for key in ("response", "layer_axis", "response_axis"))
        charts.append(chart(response, title=title, x_label=x, y_label=y))
    return {"charts": charts, "note": t("depth_note") if response else ""} if charts else None


def _gradient(runs: Named, i: int, t: Translate) -> list[ChartSeries]:
    """A curve for each kind of unit that the network has."""
    name, run = runs[i]
    units = run.inspection.get("gradient", [])
    series = []
    for position, kind in enumerate(KINDS):
        own = [
            (number, _number(unit.get("norm")))
            for number, unit in enumerate(units, 1)
            if unit["kind"] == kind
        ]
        if own:
            series.append(
                ChartSeries(
                    label=run_label(name, t(kind), runs, t),
                    x=[number for number, _ in own],
                    y=[norm for _, norm in own],
                    colour=i if len(runs) > 1 else position,
                    line="dashed" if kind == "plain" else "solid",
                    marker="dot",
                )
            )
    return series


def _response(runs: Named, i: int, t: Translate) -> list[ChartSeries]:
    """The layers in order, and sorted as in the lower half of the paper's figure 7."""
    name, run = runs[i]
    measured = [_number(layer.get("std")) for layer in run.inspection.get("response", [])]
    if not measured:
        return []
    number = list(range(1, len(measured) + 1))
    falling = sorted(filter(math.isfinite, measured), reverse=True)
    # Over each other, a run needs one name for its colour; the page says what dashes mean.
    in_order, ranked = (t("in_order"), t("sorted")) if len(runs) == 1 else (name, "")
    return [
        ChartSeries(label=in_order, x=number, y=measured, colour=i, marker="dot"),
        ChartSeries(label=ranked, x=number[: len(falling)], y=falling, colour=i, line="dashed"),
    ]


def _number(value: float | None) -> float:
    return math.nan if value is None else value
