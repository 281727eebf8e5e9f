"""What of a run still works where one of its tensor files does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from residua.errors import ResiduaError
from residua.runs.layout import BEST, LAST, WEIGHTS
from residua.weights.model_files import read_tensors


@contextmanager
def naming_what_is_intact(folder: Path) -> Iterator[None]:
    """To the line of a ResiduaError raised inside, add which weights of the run in ``folder`` can be read."""
    try:
        yield
    except ResiduaError as error:
        names = ", ".join(map(str, intact(folder)))
        works = f"intact and usable by name: {names}" if names else "no other weights of this run are intact"
        raise type(error)(f"{error}; {works}") from error


def intact(folder: Path) -> list[Path]:
    """The tensor files of a run folder that can be read and agree with their digest, if they state one."""
    return [path for path in (folder / name for name in (LAST, BEST, WEIGHTS)) if is_intact(path)]


def is_intact(path: Path) -> bool:
    """Whether a tensor file is there, can be read and agrees with its digest, if it states one."""
    if not path.exists():
        return False
    try:
        read_tensors(path)
    except ResiduaError:
        return False
    return True
