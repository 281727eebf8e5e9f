"""What seeds say of each statement: the effect with its interval, the E-values, and how they grew seed by seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from residua.experiments.rules.evalue import DECIDES
from residua.report.charts import ChartSeries, line_chart
from residua.report.experiment_result import Result
from residua.report.numbers import figure
from residua.report.translation import Translate

_KINDS = {"mean": "effect_mean", "difference": "effect_difference", "ratio": "effect_ratio"}
_CURVES = {"toward": "e_toward", "against": "e_against", "alike": "e_alike"}


def measured_words(check: Mapping[str, Any], t: Translate) -> list[str]:
    """The effect of a statement, the E-values after the last seed, and how far it is to go, in the reader's language.

    Empty where chance has no part in it, or the result is of a version that had no E-values.
    """
    effect, trail = check.get("effect"), check.get("trail")
    if not effect or not trail:
        return []
    spread = (
        ""
        if effect.get("sd") is None
        else (" ×/ " if effect["kind"] == "ratio" else " ± ") + figure(effect["sd"])
    )
    said = [
        t(
            "effect_said",
            kind=t(_KINDS.get(effect["kind"], "effect_mean")),
            mean=figure(effect["mean"]),
            spread=spread,
            n=effect["n"],
        )
    ]
    if effect.get("low") is not None and effect.get("high") is not None:
        said.append(t("effect_between", low=figure(effect["low"]), high=figure(effect["high"])))
    last = {name: trail[name][-1] for name in _CURVES if trail[name]}
    said.append(t("e_said", toward=e_value(last.get("toward")), against=e_value(last.get("against"))))
    if "alike" in last and effect.get("smallest") is not None:
        size = figure(effect["smallest"])
        size = t("e_factor", size=size) if effect["kind"] == "ratio" else size
        said.append(t("e_alike_said", e=e_value(last["alike"]), size=size))
    if check["status"] == "undecided":
        more = effect.get("more_seeds")
        said.append(t("seeds_far") if more is None else t("seeds_more", n=more))
    return said


def e_value_charts(result: Result, t: Translate) -> list[Markup]:
    """For each statement its E-values after every seed, on a logarithmic axis with the line that decides."""
    return [
        _chart(check["text"], check["trail"], t)
        for check in result["checks"]
        if check.get("trail") and len(check["trail"]["toward"]) > 1
    ]


def e_value(e: float | None) -> str:
    """An E-value as people read it: powers of ten where digits would say nothing."""
    if e is None:
        return "–"
    return f"{e:.1e}" if e >= 1e5 or 0 < e < 1e-3 else f"{e:.3g}"


def _chart(statement: str, trail: Mapping[str, list[float]], t: Translate) -> Markup:
    series = [
        ChartSeries(
            label=t(word), x=list(range(1, len(trail[name]) + 1)), y=trail[name], colour=colour, marker="dot"
        )
        for colour, (name, word) in enumerate(_CURVES.items())
        if trail[name]
    ]
    ends = [1, max(len(item.y) for item in series)]
    decides = ChartSeries(
        label=t("e_decides"), x=ends, y=[DECIDES] * 2, colour=len(_CURVES), line="dashed", width=1.1
    )
    return line_chart(
        [*series, decides], title=statement, x_label=t("seeds_axis"), y_label=t("e_axis"), log=True, t=t
    )
