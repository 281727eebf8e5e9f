"""What is served: names, the files behind them, and whether those have changed. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from residua.errors import UsageError
from residua.runs import layout
from residua.runs.find import resolve_run

ARTIFACT = "artifact.json"  # as residua.deploy.artifact, whose import takes torch
Signature = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, kw_only=True)
class ModelSource:
    """A model by the name that clients use."""

    name: str
    place: str  # a run, its name under runs/, latest, a weight file or an artifact


def named_sources(words: Sequence[str]) -> list[ModelSource]:
    """The sources of a command line, each ``PLACE`` or ``NAME=PLACE``.

    Raises UsageError for a place where there is nothing, and for two of one name.
    """
    sources = [_source(word) for word in words]
    names = [source.name for source in sources]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two models are called {name!r}: give them names, such as {name}2=PATH")
    return sources


def _source(word: str) -> ModelSource:
    name, equals, place = word.partition("=")
    if not equals or Path(word).exists():
        name, place = "", word
    if not place:
        raise UsageError(f"{word!r} names no place: NAME=PATH does")
    path = _path(place)
    return ModelSource(name=name or (path.name if path.is_dir() else path.stem), place=place)


def _path(place: str) -> Path:
    """The folder or file that a place means. Raises UsageError."""
    path = Path(place)
    if path.is_file() and path.name != "latest":
        return path
    if (path / ARTIFACT).is_file():
        return path.resolve()
    return resolve_run(place)


def artifacts_of(place: str) -> list[Path]:
    """What was exported of a run, below it; none of anything else. Raises UsageError."""
    return sorted(found.parent for found in _path(place).glob(f"artifacts/*/{ARTIFACT}"))


def files_of(place: str) -> list[Path]:
    """The files that make a model, the one that it is known by first; none while there is nothing to load.

    An artifact is all that lies in its folder, and is known by what it says of itself; a run is what its training
    left when it was complete. Raises UsageError.
    """
    path = _path(place)
    if path.is_file():
        return [path]
    if (path / ARTIFACT).is_file():
        return [path / ARTIFACT, *sorted(p for p in path.iterdir() if p.is_file() and p.name != ARTIFACT)]
    return [path / layout.WEIGHTS, path / layout.RESULT] if layout.is_complete(path) else []


def signature(place: str) -> Signature | None:
    """What changes whenever a model's files do; None while there is nothing to load."""
    try:
        found = [(str(path), path.stat()) for path in files_of(place)]
    except (OSError, UsageError):  # in the midst of being replaced
        return None
    return tuple((name, stat.st_size, stat.st_mtime_ns, stat.st_ino) for name, stat in found) or None
