"""``residua report``."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter


def report(
    runs: list[Path],
    /,
    *,
    lang: Literal["en", "zh"] = "en",
    out: Path | None = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Render one offline HTML page about a run, or about several beside each other with a diagnosis of the worst.

    Args:
        runs: run folders, names under runs/, or latest.
        lang: language of the page.
        out: the page; by default report.html in a single run's folder, compare-A-B.html beside the first of several.
        overwrite: replace a page that exists; a single run's report.html is always replaced.
        json: print one JSON object, with the diagnosis.

    """
    from residua.report import diagnose_runs, read_run, render_report
    from residua.train import resolve_run

    folders = [resolve_run(run) for run in runs]
    page = render_report(folders, lang=lang, out=out, overwrite=overwrite)
    if not json:
        print(page)
        return
    found = diagnose_runs([read_run(folder) for folder in folders], lang=lang)
    answer = {"schema": 1, "report": str(page), "diagnosis": asdict(found) if found else None}
    print(json_module.dumps(answer, ensure_ascii=False))
