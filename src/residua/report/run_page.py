"""The page of runs: what each holds in sections, the same bytes each time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from residua.errors import UsageError
from residua.files import write_text
from residua.report import headline, quality, run_tables, side_by_side
from residua.report.curves import curves, schedule
from residua.report.depth import depth
from residua.report.render import PageSection, check_page, page
from residua.report.run_tables import SectionValues
from residua.report.translation import Translate, translator
from residua.runs.record import Run, read_run

SECTIONS: dict[str, Callable[[Run, Translate], SectionValues]] = {
    "curves": lambda run, t: curves([(run.name, run)], t, note="curves_note"),
    "samples": run_tables.samples,
    "schedule": lambda run, t: schedule([(run.name, run)], t),
    "confusion": quality.confusion,
    "classes": quality.classes,
    "calibration": quality.calibration,
    "mistakes": quality.mistakes,
    "pairs": quality.pairs,
    "suspects": quality.suspects,
    "leaks": quality.leaks,
    "depth": lambda run, t: depth([(run.name, run)], t),
    "cost": run_tables.cost,
    "recipe": run_tables.recipe,
    "plan": run_tables.plan,
    "data": run_tables.data,
    "environment": run_tables.environment,
    "repeat": run_tables.repeat,
}


OPTIONAL = ("samples", "pairs", "suspects", "leaks")  # a run may well have none


def render_report(
    run_dirs: Sequence[Path], *, lang: str = "en", out: Path | None = None, overwrite: bool = False
) -> Path:
    """Write one offline HTML page about a run, or about several beside each other, and return its path.

    Without ``out``, one run's page is ``report.html`` in its folder, which is always replaced; the page of
    several is ``compare-A-B.html`` beside the first of them. Any other file that exists is replaced only with
    ``overwrite``.

    Raises UsageError for a language that the report is not written in, a folder that is no run folder or is
    given twice, and a page that exists; ResiduaError for a damaged run folder or an unwritable page.
    """
    translator(lang)  # refuses an unknown language before anything is read
    if not run_dirs:
        raise UsageError("a report needs at least one run folder")
    runs = [read_run(Path(folder)) for folder in run_dirs]
    for run in runs:
        if sum(other.path == run.path for other in runs) > 1:
            raise UsageError(f"run folder {run.path} is given twice")
    out = Path(out) if out else Path(run_dirs[0]) / runs[0].page.name if len(runs) == 1 else _beside(runs)
    check_page(out, own=runs[0].page if len(runs) == 1 else None, overwrite=overwrite)
    write_text(out, _one(runs[0], lang) if len(runs) == 1 else _many(runs, lang))
    return out


def _beside(runs: Sequence[Run]) -> Path:
    name = "compare-" + "-".join(run.name for run in runs)
    if len(name.encode()) > 120:  # file systems end at 255 bytes
        name = f"compare-{len(runs)}-runs-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return runs[0].path.parent / f"{name}.html"


def _one(run: Run, lang: str) -> str:
    t = translator(lang)
    sections = [(key, make(run, t)) for key, make in SECTIONS.items()]
    top = {
        "name": run.name,
        "complete": run.result is not None,
        "outcome": headline.outcome(run, lang),
        "notes": notes(run, lang),
        "tiles": [*headline.tiles(run, t)],
    }
    return _page(t("title_one", model=run.model, data=run.dataset), top, sections, t)


def _many(runs: Sequence[Run], lang: str) -> str:
    t = translator(lang)
    named = list(zip(side_by_side.names(runs), runs, strict=True))
    said = [f"{name}{t('colon')}{note}" for name, run in named for note in notes(run, lang)]
    sections = [
        ("diagnosis", side_by_side.diagnosis(named, lang)),
        ("side_by_side", side_by_side.side_by_side(named, t)),
        ("curves", curves(named, t, note="overlay_note")),
        ("schedule", schedule(named, t)),
        ("depth", depth(named, t)),
        ("differences", side_by_side.differences(named, t)),
        ("repeat", side_by_side.commands(named)),
    ]
    return _page(t("title_many", n=len(runs)), {"notes": said}, sections, t)


def notes(run: Run, lang: str = "en") -> list[str]:
    """What a reader must know about the state of the folder."""
    states = {
        "unfinished_note": run.result is None,
        "cut_note": run.cut,
        "limited_note": run.limited,
        "stale_note": run.inspected == "stale" or run_tables.old_samples(run),
        "unknown_note": run.inspected == "unknown",
    }
    t = translator(lang)
    return [t(key) for key, holds in states.items() if holds]


def _page(title: str, top: dict[str, Any], sections: Sequence[PageSection], t: Translate) -> str:
    left_out = [t(key) for key, view in sections if view is None and key not in OPTIONAL]
    return page("runs.html", title, {**top, "left_out": left_out}, sections, t)
