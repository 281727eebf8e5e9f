"""The figures of a reproduction, drawn like the paper's own: curves, bars (as dots), or series by layer.

Curves are as in He et al. 2015, Figures 1, 4 and 6: error by epoch, training thin and dashed, test bold and solid, one
colour an arm; arms that differ in a number alone (plain-20, plain-56) share a panel.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from residua.report.charts import COLOURS, ChartSeries, line_chart, spans
from residua.report.experiment_result import Result, number, over_seeds
from residua.report.seed_chart import SeedRow, seed_chart
from residua.report.translation import Translate, messages

_EPOCHS, _X = "curve_epoch", "x"
_LONG = 30  # epochs from which on the first ones are cut off above, as in the paper
_LOG_FROM = 100  # lists of positive numbers that span a larger factor are drawn on a logarithmic axis
_USUAL = ("train_error", "test_error", "early_train_error", "parameters", "multiply_adds", "seconds")
_USUAL += ("spoilt", "from_the_stretch_s_start")
_AXES = ("unit_axis", "layer_axis", "conv_axis", "deleted_axis", "path_axis", "units_axis", "epoch_axis")
_MARKED = 60  # points from which on a curve has no dots
THIN, BOLD = 1.1, 2.4


def pictures(result: Result, t: Translate) -> list[Markup]:
    """Every figure of the experiment, the most telling first; none if nothing was measured."""
    drawn: list[Markup] = []
    if result["figure"] == "curves":
        drawn = _curves(result, t)
    elif result["figure"] == "series":
        drawn = _series(result, t)
    return drawn + [chart for measure in result["measures"] if (chart := _seed_chart(result, measure, t))]


def words(measure: str, t: Translate) -> str:
    """The name of a measure as people read it, in their language where it is a usual one."""
    return t(measure) if measure in _USUAL else measure.replace("_", " ")


def _curves(result: Result, t: Translate) -> list[Markup]:
    panels: dict[str, list[str]] = {}
    for arm in result.arms:
        panels.setdefault(re.sub(r"[-_ ]?\d+", "", arm), []).append(arm)
    if max(map(len, panels.values()), default=0) < 2:  # nothing is paired: all in one
        panels = {"": result.arms}
    by_panel = {stem: _errors(result, arms, t) for stem, arms in panels.items()}
    top = _top([series for panel in by_panel.values() for series in panel])
    charts = []
    for stem, series in by_panel.items():
        if series:
            title = t("error_of", arms=stem) if stem else t("error_by_epoch")
            charts.append(
                line_chart(
                    series,
                    title=title,
                    x_label=t("epoch_axis"),
                    y_label=t("error_axis"),
                    t=t,
                    top=top,
                )
            )
    return charts


def _errors(result: Result, arms: Sequence[str], t: Translate) -> list[ChartSeries]:
    series = []
    for colour, arm in enumerate(arms):
        said = {part: t("of_run", run=arm, what=t(part)) for part in ("train", "test")}
        x = _abscissa(result, arm, _EPOCHS)
        curves = {part: over_seeds(result.lists(arm, f"curve_{part}_error")) for part in ("train", "test")}
        tested = any(curves["test"])
        if any(curves["train"]):
            # One name for each colour: the page says what dashes mean.
            look: dict[str, Any] = {"label": "" if tested else arm, "line": "dashed", "width": THIN}
            series.append(_over_seeds(curves["train"], x, colour, said=said["train"], **look))
        if tested:
            series.append(_over_seeds(curves["test"], x, colour, label=arm, said=said["test"], width=BOLD))
        elif curves["train"] and (ended := result.seeds(arm, "test_error")):
            end = x[len(curves["train"]) - 1]
            mean = math.fsum(ended) / len(ended)
            look = {"colour": colour, "line": "none", "marker": "star"}
            series.append(ChartSeries(label="", x=[end], y=[mean], said=said["test"], **look))
    return series


def _series(result: Result, t: Translate) -> list[Markup]:
    """A figure for every measure that is a list, over ``x`` where there is one, else over positions or epochs."""
    named = [name for name in result["measures"] if name in result.names()]
    charts = []
    for measure in named or [name for name in result.names() if name not in (_X, _EPOCHS)]:
        epochs = measure.startswith("curve_")
        series = []
        for colour, arm in enumerate(result.arms):
            samples = over_seeds(result.lists(arm, measure))
            if any(samples):
                x = _abscissa(result, arm, _EPOCHS if epochs else _X)
                look: dict[str, Any] = {"marker": "" if len(samples) > _MARKED else "dot"}
                if colour // COLOURS % 2:  # the colours come back, with dashes that no dots hide
                    look = {"line": "dashed"}
                series.append(_over_seeds(samples, x, colour, label=arm, **look))
        if series:
            charts.append(
                line_chart(
                    series,
                    title=words(measure.removeprefix("curve_"), t),
                    x_label=t("epoch_axis") if epochs else _axis(result, t),
                    y_label="",
                    log=spans(series, _LOG_FROM),
                    t=t,
                )
            )
    return charts


def _axis(result: Result, t: Translate) -> str:
    """What the abscissa of the lists is, in the reader's language where it is a usual one."""
    said = next(iter(result.texts("x_label")), "x")
    return next((t(key) for key in _AXES if messages("en")[key] == said), said)


def _seed_chart(result: Result, measure: str, t: Translate) -> Markup | None:
    beside: dict[str, list[float]] = {}
    for row in result["published"]:
        if row.get("measure") == measure:
            beside.setdefault(row.get("arm") or "", []).append(number(row.get("value")))
    rows = [SeedRow(arm, result.seeds(arm, measure), beside.get(arm, ())) for arm in result.arms]
    return seed_chart(
        rows, title=words(measure, t), note=t("dots_published") if any(row.marks for row in rows) else ""
    )


def _over_seeds(samples: Sequence[Any], x: Sequence[float], colour: int, **look: Any) -> ChartSeries:
    return ChartSeries(
        x=x[: len(samples)],
        y=[math.nan if sample is None else sample.mean for sample in samples],
        spread=[0.0 if sample is None or sample.sd is None else sample.sd for sample in samples],
        colour=colour,
        **look,
    )


def _abscissa(result: Result, arm: str, name: str) -> list[float]:
    """The longest abscissa of the seeds, going on by ones where it is too short (or absent)."""
    longest = max(
        map(len, (values for key in result.names() for values in result.lists(arm, key))), default=0
    )
    x = [value for value in max(result.lists(arm, name), key=len, default=[]) if math.isfinite(value)]
    start = x[-1] + 1 if x else 1.0
    return x + [start + i for i in range(longest - len(x))]


def _top(series: Sequence[ChartSeries]) -> float | None:
    """Where the axes of all panels end; long curves are cut off above their last three quarters, as in the paper."""
    cut = max((len(item.y) for item in series), default=0) >= _LONG
    kept = [y for item in series for y in item.y[len(item.y) // 4 if cut else 0 :] if math.isfinite(y)]
    return 1.05 * max(kept, default=0) or None
