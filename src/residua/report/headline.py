"""The top of a run's page: how good it is, how sure that is, what it cost, and what to know first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from residua.report.html import Html, element, join
from residua.report.language import Translate
from residua.report.numbers import count, duration, percent, short, wilson
from residua.runs.record import Run


def headline(run: Run, t: Translate, notes: Sequence[str]) -> Html:
    """The run's name and state, the notes, and a tile for each figure that the run has."""
    state = "complete" if run.result else "unfinished"
    badge = element("span", t(state), class_="badge good" if run.result else "badge bad")
    tiles = [
        element(
            "li",
            element("span", t(key), class_="what"),
            element("div", figure, class_="figure"),
            element("span", under, class_="under") if under else "",
        )
        for key, figure, under in _tiles(run, t)
    ]
    return join(
        [
            element("p", f"{t('run')} ", element("code", run.name), " ", badge),
            *(element("div", element("p", note), class_="callout") for note in notes),
            element("ul", *tiles, class_="tiles"),
        ]
    )


def _tiles(run: Run, t: Translate) -> Iterator[tuple[str, str, str]]:
    """What, the figure, and what stands under it."""
    tested, validated = run.get("test_accuracy"), run.last("val_accuracy")
    if tested is not None:
        yield "test_accuracy", percent(tested), _interval(tested, run.images("test"), t)
    judged = run.get(f"test_{run.metric}")
    if run.metric != "accuracy" and judged is not None:
        yield "test_metric", f"{judged:.4g}", run.metric.replace("_", " ")
    if "top5" in run.inspection and len(run.classes) > 5:
        yield "top5", percent(run.inspection["top5"]), ""
    if validated is not None:
        yield "val_accuracy", percent(validated), t("last_epoch")
    if run.last("train_accuracy") is not None:
        yield "train_accuracy", percent(run.last("train_accuracy")), t("last_epoch")
    if run.get("seconds") is not None:
        yield "seconds", duration(run.get("seconds")), ""
    if run.get("parameters") is not None:
        yield "parameters", count(run.get("parameters")), ""
    if run.get("multiply_adds") is not None:
        yield "multiply_adds", short(run.get("multiply_adds")), t("per_image")
    if run.epochs["epoch"]:
        steps = run.get("steps")
        yield "epochs", count(len(run.epochs["epoch"])), t("steps_n", n=count(steps)) if steps else ""
    if run.get("seed") is not None:
        yield "seed", str(run.get("seed")), ""


def _interval(share: float, n: int | None, t: Translate) -> str:
    if n is None:
        return t("no_interval")
    low, high = wilson(share, n)
    return t("interval", low=percent(low), high=percent(high), n=count(n))
