"""What ``residua train --budget`` found: accuracy against latency, as a page of a figure and a table."""

from __future__ import annotations

from pathlib import Path

from residua.files import write_text
from residua.report.charts import ChartSeries, line_chart
from residua.report.render import page
from residua.report.translation import Translate, translator
from residua.search.record import Record, Trial

_HEAD = (
    "search_candidate",
    "search_latency",
    "search_validation",
    "search_test",
    "search_seconds",
    "search_status",
)


def render_search(record: Record, path: Path, *, lang: str = "en") -> None:
    """Write the page. Raises UsageError for an unknown language, ResiduaError if it cannot be written."""
    t = translator(lang)
    trained = [trial for trial in record.trials if trial.validation is not None]
    series = [
        ChartSeries(
            label=t("search_best") if best else t("search_others"),
            x=[trial.latency_ms or 0.0 for trial in trials],
            y=[trial.validation or 0.0 for trial in trials],
            colour=colour,
            line="none",
            marker="star" if best else "dot",
        )
        for colour, best in enumerate((True, False))
        if (trials := [trial for trial in trained if (trial.name == record.best) is best])
    ]
    chart = line_chart(
        series,
        t=t,
        title=t("search_title"),
        x_label=t("search_latency"),
        y_label=f"{t('search_validation')} {record.metric.replace('_', ' ')}",
    )
    rows = [_cells(trial, record, t) for trial in record.trials]
    sections = [("search_trials", {"chart": chart, "head": [t(key) for key in _HEAD], "rows": rows})]
    asked = record.asked
    tiles = [
        (t("search_best"), record.best or "–", ""),
        (t("search_budget"), f"{asked['budget']:g} s", ""),
        (t("search_target"), asked["target"] or "–", ""),
    ]
    title = t("search_title")
    write_text(path, page("search.html", title, {"tiles": tiles}, sections, t, "search_footer"))


def _cells(trial: Trial, record: Record, t: Translate) -> tuple[str, ...]:
    latency, seconds = trial.latency_ms, trial.seconds
    status = t("search_best") if trial.name == record.best else t(f"search_{trial.status.replace(' ', '_')}")
    return (
        trial.name,
        "–" if latency is None else f"{latency:.2f}",
        *("–" if value is None else f"{value:.4g}" for value in (trial.validation, trial.test)),
        "–" if seconds is None else f"{seconds:.0f}",
        status,
    )
