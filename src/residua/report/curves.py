"""The curves of one run, or of several over each other: error and loss by epoch, rate and loss by step.

As in figure 6 of He et al. 2015, the vertical axis is the error, training is dashed and the held-out images
are solid. The one test figure, read once at the end, is a star at the last epoch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

from residua.errors import UsageError
from residua.report.charts import COLOURS, ChartSeries, line_chart, spans
from residua.report.numbers import percent
from residua.report.run_tables import SectionValues
from residua.report.translation import Translate
from residua.runs.record import Run
from residua.spec import Recipe

Named = Sequence[tuple[str, Run]]  # runs with the names that tell them apart on this page
SPLITS: dict[str, Literal["dashed", "solid"]] = {"train": "dashed", "val": "solid"}
RATE = ("schema", "lr", "schedule", "warmup", "warmup_factor", "warmup_shape")  # what the rate follows from
MOST_STEPS = 200_000  # whose rates are computed; longer trainings log enough of them
LOG_FROM = 30  # losses that span a larger factor are drawn on a logarithmic axis


def curves(runs: Named, t: Translate, *, note: str) -> SectionValues:
    """What the runs are judged by, and loss, by epoch; None if no run has finished an epoch. ``note`` is a key."""
    if not any(run.epochs["epoch"] for _, run in runs):
        return None
    chart = partial(line_chart, t=t, x_label=t("epoch_axis"))
    metrics = dict.fromkeys(run.metric for _, run in runs)
    charts = []
    for metric in metrics:
        if metric == "accuracy":
            error = _by_epoch(runs, t, metric, lambda accuracy: 100 * (1 - accuracy)) + _tests(runs, t)
            charts.append(chart(error, title=t("error_by_epoch"), y_label=t("error_axis")))
        else:
            name, own = metric.replace("_", " "), _by_epoch(runs, t, metric, lambda value: value)
            charts.append(
                chart(own, title=t("metric_by_epoch", metric=name), y_label=name, log=spans(own, LOG_FROM))
            )
    loss = _by_epoch(runs, t, "loss", lambda value: value)
    axis = t("loss_axis" if list(metrics) == ["accuracy"] else "any_loss_axis")
    charts.append(chart(loss, title=t("loss_by_epoch"), y_label=axis, log=spans(loss, LOG_FROM)))
    return {"charts": charts, "note": t(note)}


def schedule(runs: Named, t: Translate) -> SectionValues:
    """Learning rate and training loss by step; None if no run has logged a step.

    A short run logs fewer steps than epochs: the loss is then left to the curves by epoch.
    """
    rates = [_rates(run) for _, run in runs]
    losses = [_points(run.steps, "loss") for _, run in runs]
    if not any(rates):
        return None
    chart = partial(line_chart, t=t, x_label=t("step_axis"))
    charts = [chart(_by_step(runs, rates), title=t("lr_by_step"), y_label=t("lr_axis"))]
    if any(len(points) > len(run.epochs["epoch"]) for points, (_, run) in zip(losses, runs, strict=True)):
        loss = _by_step(runs, losses)
        charts.append(chart(loss, title=t("loss_by_step"), y_label=t("loss_axis"), log=spans(loss, LOG_FROM)))
    return {"charts": charts}


def _rates(run: Run) -> list[tuple[float, float]]:
    """The learning rate of every step: a short run logs few, and a warm-up would not be seen in them.

    It follows from the recipe. Where the lines of the log say otherwise (a run that was extended), they are shown.
    """
    logged = max(_points(run.steps, "lr"), _points(run.epochs, "lr"), key=len)
    steps = run.get("steps")
    if not logged or not steps or steps > MOST_STEPS:
        return logged
    try:
        recipe = Recipe.from_dict({key: value for key, value in run.recipe.items() if key in RATE})
    except UsageError:  # a schedule that is not known here
        return logged
    rates = [recipe.lr * recipe.lr_factor(step / steps) for step in range(steps)]
    # a step's line tells the rate that it had, an epoch's that of the step which follows
    told = [(step - 1, lr) for step, lr in _points(run.steps, "lr")]
    told += [(min(step, steps - 1), lr) for step, lr in _points(run.epochs, "lr")]
    same = all(
        0 <= at < steps and math.isclose(lr, rates[int(at)], rel_tol=1e-6, abs_tol=1e-12) for at, lr in told
    )
    return list(enumerate(rates, 1)) if same else logged


def _points(lines: dict[str, list[float]], key: str) -> list[tuple[float, float]]:
    """A column by step; lines that do not name their step have no place."""
    return [
        (step, value) for step, value in zip(lines["step"], lines[key], strict=True) if math.isfinite(step)
    ]


def _by_step(runs: Named, points: Sequence[Sequence[tuple[float, float]]]) -> list[ChartSeries]:
    return [
        ChartSeries(label=name, x=[x for x, _ in own], y=[y for _, y in own], **_look(i))
        for i, ((name, _), own) in enumerate(zip(runs, points, strict=True))
    ]


def run_label(name: str, what: str, runs: Named, t: Translate) -> str:
    """What a curve is called: with the run's name where there are several."""
    return what if len(runs) == 1 else t("of_run", run=name, what=what)


def _by_epoch(runs: Named, t: Translate, metric: str, shown: Callable[[float], float]) -> list[ChartSeries]:
    series = []
    for i, (name, run) in enumerate(runs):
        known = {split: run.epochs.get(f"{split}_{metric}", []) for split in SPLITS}
        validated = any(map(math.isfinite, known["val"]))
        for split, line in SPLITS.items():
            y = [shown(value) for value in known[split]]
            if any(map(math.isfinite, y)) or (y and split == "train" and not validated):
                look = _look(i if len(runs) > 1 else int(split == "val"))
                # Over each other, a run needs one name for its colour; the page says what dashes mean.
                label = t(split) if len(runs) == 1 else "" if split == "train" and validated else name
                said = run_label(name, t(split), runs, t)
                series.append(ChartSeries(label=label, x=_ends(run), y=y, line=line, said=said, **look))
    return series


def _tests(runs: Named, t: Translate) -> list[ChartSeries]:
    said = "test_mark" if len(runs) == 1 else "test_of"
    return [
        ChartSeries(
            label=run_label(name, t(said, value=percent(1 - run.get("test_accuracy"))), runs, t),
            x=[_ends(run)[-1]],
            y=[100 * (1 - run.get("test_accuracy"))],
            colour=i if len(runs) > 1 else 2,
            line="none",
            marker="star",
        )
        for i, (name, run) in enumerate(runs)
        if run.get("test_accuracy") is not None and run.epochs["epoch"]
    ]


def _ends(run: Run) -> list[float]:
    """How many epochs were complete at each point; the log counts epochs from 0."""
    return [epoch + 1 for epoch in run.epochs["epoch"]]


def _look(i: int) -> dict[str, Any]:
    """Colour by position; from the seventh on the colours come back with dots."""
    return {"colour": i, "marker": "dot" if i // COLOURS % 2 else ""}
