"""Runs by name: a new one, the latest, and those that are there."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from residua.errors import ResiduaError, UsageError
from residua.files import NEW, beside, clear, in_use, locked
from residua.runs.folder import RunFolder
from residua.runs.layout import is_run
from residua.runs.place import GONE, OLD, put_back

RUNS = Path("runs")
_LATEST = "latest"


def new_path(data_kind: str, model: str, seed: int, parent: Path = RUNS) -> Path:
    """A free name under ``runs/``, from the time, the data, the model and the seed."""
    stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{data_kind}-{model}-s{seed}"
    path, number = parent / stem, 1
    while path.exists() or in_use(path):
        number += 1
        path = parent / f"{stem}-{number}"
    return path


def point_latest(path: Path) -> None:
    """Make ``latest`` beside the run folder name it: a symbolic link, or a text file where links are not to be had."""
    latest = path.parent / _LATEST
    temporary = beside(latest, NEW)
    with suppress(OSError, ResiduaError), locked(latest, wait=1.0):  # a convenience: no run is lost over it
        clear(temporary)
        try:
            temporary.symlink_to(path.name, target_is_directory=True)
        except OSError:
            temporary.write_text(path.name + "\n", encoding="utf-8")
        temporary.replace(latest)


def resolve_run(text: str | Path) -> Path:
    """The run folder that a path, a name under ``runs/`` or ``latest`` means. Raises UsageError if there is none."""
    path = Path(text)
    for candidate in (path, RUNS / path):
        if candidate.is_file() and candidate.name == _LATEST:
            candidate = candidate.parent / candidate.read_text(encoding="utf-8").strip()
        put_back(candidate)
        if is_run(candidate):
            return candidate.resolve() if candidate.is_symlink() else candidate
    if path.exists():
        raise UsageError(f"{text} is not a run folder")
    raise UsageError(f"there is no run {str(text)!r}, neither as a path nor under {RUNS}/")


def list_runs(parent: Path = RUNS) -> list[RunFolder]:
    """The run folders under ``parent``, oldest first by name; what is no run folder is left out."""
    for suffix in (GONE, OLD):
        for aside in parent.glob(f".*{suffix}"):
            put_back(parent / aside.name[1 : -len(suffix)])
    folders = sorted(p for p in parent.iterdir() if not p.is_symlink()) if parent.is_dir() else []
    return [RunFolder(p) for p in folders if not p.name.startswith(".") and is_run(p)]
