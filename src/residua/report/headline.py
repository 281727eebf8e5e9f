"""The tiles at the top of a run's page: how good it is, how sure that is, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator

from residua.intervals import wilson
from residua.names import near
from residua.report.numbers import count, duration, percent, short
from residua.report.translation import Translate
from residua.runs.outcome import Outcome, advised, next_step, reasons, word
from residua.runs.record import Run


def outcome(run: Run, lang: str) -> dict[str, str] | None:
    """What became of the training, in a sentence, and what to do now; None where nobody has looked."""
    found: Outcome | None = run.inspection.get("outcome")
    if found is None or run.result is None:
        return None
    kind = "good" if found.status == "learned" else "bad" if found.status == "diverged" else "caution"
    step = next_step(
        found,
        str(near(run.path)),
        model=run.model,
        data=str(run.data.get("source") or run.dataset),
        begun=[*map(str, begun)] if isinstance(begun := run.env.get("command"), list) else (),
    )
    said = {"word": word(found.status, lang), "reasons": reasons(found, lang), "advice": advised(found, lang)}
    return {"kind": kind, **said, "next": step}


def tiles(run: Run, t: Translate) -> Iterator[tuple[str, str, str]]:
    """What, the figure, and what stands under it, for each figure that the run has."""
    tested, validated = run.get("test_accuracy"), run.last("val_accuracy")
    if tested is not None:
        yield t("test_accuracy"), percent(tested), _interval(tested, run.images("test"), t)
    judged = run.get(f"test_{run.metric}")
    if run.metric != "accuracy" and judged is not None:
        yield t("test_metric"), f"{judged:.4g}", run.metric.replace("_", " ")
    if "top5" in run.inspection and len(run.classes) > 5:
        yield t("top5"), percent(run.inspection["top5"]), ""
    if validated is not None:
        yield t("val_accuracy"), percent(validated), t("last_epoch")
    if run.last("train_accuracy") is not None:
        yield t("train_accuracy"), percent(run.last("train_accuracy")), t("last_epoch")
    if run.get("seconds") is not None:
        yield t("seconds"), duration(run.get("seconds")), ""
    if run.get("parameters") is not None:
        yield t("parameters"), count(run.get("parameters")), ""
    if run.get("multiply_adds") is not None:
        yield t("multiply_adds"), short(run.get("multiply_adds")), t("per_image")
    if run.epochs["epoch"]:
        steps = run.get("steps")
        yield t("epochs"), count(len(run.epochs["epoch"])), t("steps_n", n=count(steps)) if steps else ""
    if run.get("seed") is not None:
        yield t("seed"), str(run.get("seed")), ""


def _interval(share: float, n: int | None, t: Translate) -> str:
    if n is None:
        return t("no_interval")
    low, high = wilson(share, n)
    return t("interval", low=percent(low), high=percent(high), n=count(n))
