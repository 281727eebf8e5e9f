"""The page of suspected labels: images, their labels, and what networks that did not train on them take them for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from residua.files import write_text
from residua.report.quality import pictures
from residua.report.render import page
from residua.report.translation import translator
from residua.runs.record import Run

SHOWN = 200  # pictures; the list beside the page has all


def render_labels(run: Run, listed: Sequence[dict[str, Any]], out: Path, *, lang: str = "en") -> Path:
    """Write the page of suspected labels, the most suspected first, and return its path; it is replaced.

    Each is as a suspect of an inspection. Raises UsageError for an unknown language, ResiduaError if it cannot be
    written.
    """
    t = translator(lang)
    notes = [] if listed else [t("no_suspects")]
    section = {"pictures": pictures(run, listed[:SHOWN], "suspects")} if listed else None
    title = t("title_labels", run=run.name, n=len(listed))
    write_text(out, page("runs.html", title, {"notes": notes, "left_out": []}, [("suspects", section)], t))
    return out
