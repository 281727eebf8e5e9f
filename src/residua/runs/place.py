"""The place of a run folder: one writer at a time; a run appears whole, by one rename, and replaces another once it is
complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from residua.errors import ResiduaError, UsageError
from residua.files import NEW, beside, clear, locked, make_folder, sweep, sync_folder, write_json
from residua.names import command
from residua.runs.folder import RunFolder
from residua.runs.layout import LAST, is_complete, is_run

OLD = ".residua-old"  # of the run that another is to replace once it is complete
GONE = ".residua-gone"  # of one that it replaces at once: an unfinished one, where OLD is taken


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Hold the place of a run folder for one writer, from before its creation until nothing more is written to it.

    Clears away what killed writers left there, and puts back a run that one of them had moved aside. A run that was
    replaced is kept beside its successor (``.NAME.residua-old``) until this one is complete.

    Raises InUse at once if another process holds it, ResiduaError if it cannot be locked.
    """
    given, path = path, path.resolve()
    try:
        for parent in (given.parent, path.parent):  # "new/../run" needs both
            make_folder(parent)
    except OSError as error:
        raise ResiduaError(f"cannot make the run folder {path}: {error.strerror or error}") from error
    with locked(path, wait=0.2):  # who only sweeps up holds it for a moment
        _tidy(path)
        try:
            yield
        finally:
            _tidy(path)


def create(
    path: Path, tables: Mapping[str, Any], fill: Callable[[Path], None], *, overwrite: bool = False
) -> RunFolder:
    """Make a run folder of its ``tables``, by name, and what ``fill(folder)`` writes; it gets its own name at the end.

    The caller holds ``path`` (``writing``). Raises UsageError if it holds something already (a finished or an
    unfinished run, or foreign files) and ``overwrite`` does not allow it; only run folders are ever overwritten.
    """
    _refuse(path, overwrite)
    place = path.resolve()
    new, old = beside(place, NEW), beside(place, OLD)
    try:
        new.mkdir()
        (new / LAST).parent.mkdir()
        for name, value in tables.items():
            write_json(new / name, value)
        fill(new)
        if is_run(place):
            place.rename(beside(place, GONE) if old.exists() else old)
            sync_folder(place.parent)
        new.rename(place)
        sync_folder(place.parent)
    except OSError as error:
        raise ResiduaError(f"cannot make the run folder {path}: {error.strerror or error}") from error
    return RunFolder(path)


def replaced(path: Path) -> Path | None:
    """Where the run is kept that the one at ``path`` is to replace once it is complete."""
    old = beside(path.resolve(), OLD)
    return old if old.exists() else None


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Say at once, before any data are read, what ``writing`` and ``create`` would refuse."""
    if path.parent.is_dir():
        with writing(path):
            _refuse(path, overwrite)


def _refuse(path: Path, overwrite: bool) -> None:
    """Raise UsageError if a new run cannot have this path."""
    if not path.exists():
        return
    empty = path.is_dir() and not any(path.iterdir())
    if not empty and not is_run(path):
        raise UsageError(f"{path} exists and is not a run folder: choose another --run-dir")
    if empty or overwrite:
        if Path.cwd().is_relative_to(path.resolve()):  # relative paths would lead into the old folder
            raise UsageError(
                f"{path} would be replaced, and you work in it: choose another --run-dir, or cd .."
            )
        return
    if is_complete(path):
        raise UsageError(f"{path} holds a finished run: --overwrite replaces it, another --run-dir keeps it")
    raise UsageError(
        f"{path} holds an unfinished run: {command('residua', 'train', '--resume', path)} goes on with it, "
        "--overwrite replaces it"
    )


def _tidy(path: Path) -> None:
    """Put a run back that lost its name to a crash, and remove what nobody needs any more. The caller holds it."""
    new, gone, old = (beside(path, suffix) for suffix in (NEW, GONE, OLD))
    with suppress(OSError):
        for aside in (gone, old):
            if aside.exists() and not path.exists():
                aside.rename(path)
                sync_folder(path.parent)
        clear(new)
        for aside in [gone] * path.exists() + [old] * is_complete(path):
            if aside.exists():
                aside.rename(new)  # first: half a run has no name under which it is ever put back
                sync_folder(path.parent)
                clear(new)
    for folder in (path.parent, path, (path / LAST).parent):
        sweep(folder)


def put_back(path: Path) -> None:
    """Give a run its name again that a writer had moved aside when it was killed."""
    place = path.resolve()
    if not place.exists() and any(beside(place, suffix).exists() for suffix in (GONE, OLD)):
        with suppress(ResiduaError), writing(place):  # in use: its writer is about to fill the place
            pass
