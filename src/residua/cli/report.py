"""``residua report RUN...``: one offline page about a run, or about several beside each other."""

from __future__ import annotations

import dataclasses
import json as json_format
from pathlib import Path
from typing import Literal

from residua.report import diagnose_runs, read_run, render_report


def report(
    runs: list[Path],
    *,
    lang: Literal["en", "zh"] = "en",
    out: Path | None = None,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Write one HTML page about a run, or about several beside each other with a diagnosis of the worst.

    Parameters
    ----------
    runs
        Run folders.
    lang
        Language of the page.
    out
        The page; by default report.html in the folder of a single run, compare-A-B.html beside several.
    overwrite
        Replace a page that exists (the report.html of a single run always is).
    json
        Print one JSON object, with the diagnosis, instead of the page's path.
    """
    page = render_report(runs, lang=lang, out=out, overwrite=overwrite)
    if not json:
        print(page)
        return
    found = diagnose_runs([read_run(run) for run in runs], lang=lang)
    diagnosis = dataclasses.asdict(found) if found else None
    print(json_format.dumps({"schema": 1, "report": str(page), "diagnosis": diagnosis}, ensure_ascii=False))
