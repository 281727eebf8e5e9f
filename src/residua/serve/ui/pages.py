"""Reports and results as pages, rendered when asked for; nothing is written into the folders they are about."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from residua.report import render_report, render_reproduction

_one_at_a_time = threading.Lock()  # matplotlib's figures are not for several threads


def report_page(runs: Sequence[Path], lang: str) -> str:
    """The report of a run, or of several beside each other. Raises what ``render_report`` raises."""
    return _rendered(lambda out: render_report(runs, lang=lang, out=out))


def experiment_page(result: Path, lang: str) -> str:
    """The page of a reproduced experiment. Raises what ``render_reproduction`` raises."""
    return _rendered(lambda out: render_reproduction(result, lang=lang, out=out))


def _rendered(render: Callable[[Path], Path]) -> str:
    with _one_at_a_time, tempfile.TemporaryDirectory() as folder:
        return render(Path(folder) / "page.html").read_text(encoding="utf-8")
