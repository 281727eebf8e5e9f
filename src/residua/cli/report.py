"""``residua report``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from residua.cli.bar import progress_bar
from residua.cli.say import complain, note, say, say_json
from residua.errors import ResiduaError, UsageError


def report(
    runs: list[Path],
    /,
    *,
    lang: Literal["en", "zh"] = "en",
    out: Path | None = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Render one offline HTML page about a run, about several beside each other, or about reproduced experiments.

    A complete run of a classifier is looked into first, if it has not been since its weights are what they are.

    Args:
        runs: run folders, names under runs/, or latest; or one result of reproduce, or its folder of many (a page for
            each, and index.html that leads to them).
        lang: language of the page.
        out: the page; by default report.html in a single run's folder, compare-A-B.html beside the first of several.
        overwrite: replace a page that exists; a single run's report.html is always replaced.
        json: print one JSON object, with the diagnosis of runs.

    """
    from residua.report.experiment_result import find_results

    paths = [Path(run) for run in runs]
    found = [find_results(path) if path.exists() else [] for path in paths]
    if any(found):
        if len(paths) > 1:
            raise UsageError("a report of experiments takes one path: a result, or the folder of many")
        return _experiments(paths[0], found[0], lang, out, overwrite, json)
    return _runs(runs, lang, out, overwrite, json)


def _runs(runs: list[Path], lang: str, out: Path | None, overwrite: bool, json: bool) -> int:
    from residua.evaluation import inspect_again
    from residua.report import comparable, diagnose_runs, notes, read_run, render_report
    from residua.train import resolve_run

    folders = [resolve_run(run) for run in runs]
    with progress_bar("looking inside") as progress:
        for said in (said for folder in folders for said in inspect_again(folder, progress=progress)):
            note(said)
    found = [read_run(folder) for folder in folders]
    for run in found:
        for said in notes(run):
            note(f"{run.path}: {said}")
    page = render_report(folders, lang=lang, out=out, overwrite=overwrite)
    if not json:
        say(page)
        return 0
    diagnosis = diagnose_runs(found, lang=lang)
    found_out = asdict(diagnosis) if diagnosis else None
    say_json({"schema": 1, "report": str(page), "comparable": comparable(found), "diagnosis": found_out})
    return 0


def _experiments(
    path: Path, results: list[Path], lang: str, out: Path | None, overwrite: bool, json: bool
) -> int:
    """The page of one result; of a folder of many every page, and the gallery. 1 if a result of many is damaged."""
    from residua.report import render_gallery, render_reproduction

    if path.is_file() or [result.parent for result in results] == [path]:
        pages = [render_reproduction(results[0], lang=lang, out=out, overwrite=overwrite)]
        damaged = False
    else:
        if out is not None:
            raise UsageError(f"--out names one page, and {path} holds {len(results)} results")
        pages, damaged = _each(results, lang)
        pages.append(render_gallery(path, lang=lang))
    if json:
        say_json({"schema": 1, "report": str(pages[-1]), "pages": [*map(str, pages)]})
    else:
        say(pages[-1])
    return int(damaged)


def _each(results: list[Path], lang: str) -> tuple[list[Path], bool]:
    from residua.report import render_reproduction

    pages: list[Path] = []
    for result in results:
        try:
            pages.append(render_reproduction(result, lang=lang))
        except ResiduaError as error:
            complain(error)
    return pages, len(pages) < len(results)
