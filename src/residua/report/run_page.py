"""The page of runs: what each holds in sections, the same bytes each time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from residua.errors import UsageError
from residua.files import write_text
from residua.report import quality, run_tables, side_by_side
from residua.report.curves import curves, schedule
from residua.report.depth import depth
from residua.report.document import Section, document
from residua.report.headline import headline
from residua.report.html import Html, element, join
from residua.report.language import Translate, translator
from residua.runs.record import Run, read_run

SECTIONS: dict[str, Callable[[Run, Translate], Html | None]] = {
    "curves": lambda run, t: _noted(curves([(run.name, run)], t), t("curves_note")),
    "samples": run_tables.samples,
    "schedule": lambda run, t: schedule([(run.name, run)], t),
    "confusion": quality.confusion,
    "classes": quality.classes,
    "calibration": quality.calibration,
    "mistakes": quality.mistakes,
    "depth": lambda run, t: depth([(run.name, run)], t),
    "cost": run_tables.cost,
    "recipe": run_tables.recipe,
    "plan": run_tables.plan,
    "data": run_tables.data,
    "environment": run_tables.environment,
    "repeat": run_tables.repeat,
}


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
    if out.is_dir():
        raise UsageError(f"{out} is a directory; name the page, such as {out / runs[0].page.name}")
    if not out.parent.is_dir():
        raise UsageError(f"cannot write {out}: there is no directory {out.parent}")
    own = out.resolve() == runs[0].page and len(runs) == 1
    if out.exists() and not own and not overwrite:
        raise UsageError(f"{out} exists; --overwrite replaces it, --out names another page")
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
    title = t("title_one", model=run.model, data=run.dataset)
    return _page(title, headline(run, t, notes(run, lang)), sections, lang)


def _many(runs: Sequence[Run], lang: str) -> str:
    t = translator(lang)
    named = list(zip(side_by_side.names(runs), runs, strict=True))
    said = [f"{name}{t('colon')}{note}" for name, run in named for note in notes(run, lang)]
    top = join(element("div", element("p", note), class_="callout") for note in said)
    sections = [
        ("diagnosis", side_by_side.diagnosis_box(named, t, side_by_side.diagnose_runs(runs, lang=lang))),
        ("side_by_side", side_by_side.side_by_side(named, t)),
        ("curves", _noted(curves(named, t), t("overlay_note"))),
        ("schedule", schedule(named, t)),
        ("depth", depth(named, t)),
        ("differences", side_by_side.differences(named, t)),
        ("repeat", side_by_side.commands(named, t)),
    ]
    return _page(t("title_many", n=len(runs)), top, sections, lang)


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


def _noted(content: Html | None, note: str) -> Html | None:
    return content and Html(content + element("p", note, class_="note"))


def _page(title: str, top: Html, sections: Sequence[Section], lang: str) -> str:
    t = translator(lang)
    missing = [t(key) for key, content in sections if content is None and key != "samples"]
    left_out = element("p", t("left_out", parts=t("comma").join(missing)), class_="note") if missing else ""
    return document(title, join([top, left_out]), sections, lang)
