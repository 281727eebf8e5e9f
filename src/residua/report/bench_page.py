"""What ``residua bench`` measured: as a page of a figure and a table, and as the figure alone."""

from __future__ import annotations

from pathlib import Path

from residua.analysis.finding import Curve, Finding, Panel
from residua.deploy.bench import Bench, Row
from residua.files import write_text
from residua.report.charts import COLOURS, ChartSeries, line_chart
from residua.report.finding_figure import draw_finding
from residua.report.numbers import count
from residua.report.render import page
from residua.report.translation import translator

_HEAD = (
    *("bench_backend", "bench_batch", "bench_rate", "bench_to_eager"),
    *("bench_p50", "bench_p99", "bench_error", "bench_same"),
)


def render_bench(bench: Bench, path: Path, *, lang: str = "en") -> None:
    """Write the page. Raises UsageError for an unknown language, ResiduaError if it cannot be written."""
    t = translator(lang)
    chart = line_chart(
        [
            ChartSeries(
                label=name,
                x=[row.batch_size for row in rows],
                y=[row.images_per_second for row in rows],
                colour=number,
                line="solid" if number < COLOURS else "dashed",
                marker="dot",
            )
            for number, (name, rows) in enumerate(_by_backend(bench).items())
        ],
        t=t,
        title=t("bench_speed"),
        x_label=t("bench_batch"),
        y_label=t("bench_rate"),
    )
    head = [t(key) for key in _HEAD]
    skipped = [f"{one['backend']} {one['precision']}{t('colon')}{one['reason']}" for one in bench.skipped]
    sections = [
        ("bench_speed", {"chart": chart, "head": head, "rows": [_cells(row) for row in bench.rows]}),
        ("bench_skipped", {"listed": skipped} if skipped else None),
    ]
    machine = bench.to_dict()["machine"]
    tiles = [
        (t("bench_machine"), machine["cpu"], machine["instruction_set"]),
        (t("bench_threads"), count(bench.threads), ""),
        (t("bench_images"), "×".join(map(str, bench.shape)), bench.images),
    ]
    top = {"tiles": tiles, "notes": list(bench.notes)}
    write_text(path, page("bench.html", t("bench_title", name=bench.name), top, sections, t, "bench_footer"))


def draw_bench(bench: Bench, path: Path) -> None:
    """Draw images a second over the batch size: .png, .svg or .pdf. Raises as ``draw_finding``."""
    curves = [
        Curve(label=name, x=[row.batch_size for row in rows], y=[row.images_per_second for row in rows])
        for name, rows in _by_backend(bench).items()
    ]
    panel = Panel(title="", x_label="batch size", y_label="images per second", curves=curves, log_x=True)
    finding = Finding(
        kind="bench", title="Images per second", columns=(), rows=(), sentence="", panels=[panel]
    )
    draw_finding({bench.name: finding}, path)


def _by_backend(bench: Bench) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in bench.rows:
        found.setdefault(f"{row.backend} {row.precision}", []).append(row)
    return found


def _cells(row: Row) -> tuple[str, ...]:
    low, high = row.images_per_second_quartiles
    error, same = row.max_error, row.agreement
    return (
        f"{row.backend} {row.precision}",
        str(row.batch_size),
        f"{row.images_per_second:,.1f} ({low:,.1f}–{high:,.1f})",
        "–" if row.speedup is None else f"{row.speedup:.2f}×",
        f"{row.latency_ms['p50']:.2f}",
        f"{row.latency_ms['p99']:.2f}",
        "–" if error is None else f"{error:.1e}",
        "–" if same is None else f"{same:.0%}",
    )
