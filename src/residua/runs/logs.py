"""Logs of a training: files of JSON lines that only grow, whose beginnings the checkpoint vouches for. Needs no torch.

A checkpoint states *marks* of each log, pairs of a length in bytes and the XXH3-128 of the log up to there: one for the
end of every epoch, the last one for the checkpoint itself. What follows the last mark belongs to steps that are done
again after a crash. Marks of version 0.1 have no digest: only the length can be checked then.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from residua.errors import ResiduaError
from residua.files import sync_folder
from residua.names import command
from residua.runs.layout import LAST, LOGS, METRICS
from residua.spec.check import Constraint, Count
from residua.weights.digest import hasher

Mark = tuple[Count, str | None]  # bytes, hexadecimal digits
Marks = Annotated[list[Mark], Constraint("a list of marks", bool)]


class Log:
    """The writer of a log, which it first cuts back to the last of ``marks``.

    Raises ResiduaError if the log is not what they say, or cannot be written.
    """

    def __init__(self, path: Path, marks: Sequence[Mark] = ()) -> None:
        self._path = path
        content = read_bytes(path)
        if sound(content, marks) < len(marks):
            raise ResiduaError(f"{path} is damaged: it is not what the checkpoint knows of it")
        self._size = marks[-1][0] if marks else 0
        self._hash = hasher(content[: self._size])
        self._kept = list(marks[:-1])
        if len(content) > self._size:
            try:
                os.truncate(path, self._size)
            except OSError as error:
                raise _unwritable(path, error) from error

    @property
    def marks(self) -> list[Mark]:
        """Of the epochs, and of the log as it is."""
        return [*self._kept, (self._size, self._hash.hexdigest())]

    def append(self, line: dict[str, Any]) -> None:
        """Write a line. Raises ResiduaError."""
        data = json.dumps(line, allow_nan=False).encode() + b"\n"
        try:
            with self._path.open("ab") as file:
                file.write(data)
        except OSError as error:
            raise _unwritable(self._path, error) from error
        self._size += len(data)
        self._hash.update(data)

    def end_epoch(self) -> None:
        """Keep the mark of where the log is now."""
        self._kept = self.marks

    def sync(self) -> None:
        """Put the log on the disk, which must happen before a checkpoint states its marks. Raises ResiduaError."""
        try:
            if self._path.exists():
                with self._path.open("rb+") as file:
                    os.fsync(file.fileno())
                sync_folder(self._path.parent)
        except OSError as error:
            raise _unwritable(self._path, error) from error


class NoLog:
    """Of a process of a training that writes nothing: another one does."""

    @property
    def marks(self) -> list[Mark]:
        """None."""
        return []

    def append(self, line: dict[str, Any]) -> None:
        """Nothing."""

    def end_epoch(self) -> None:
        """Nothing."""

    def sync(self) -> None:
        """Nothing."""


def open_logs(run: Path, marks: Mapping[str, Sequence[Mark]], *, write: bool) -> dict[str, Log | NoLog]:
    """A run's logs by name, cut back to the marks of each; of a process that does not ``write``, none."""
    return {name: Log(run / name, marks.get(name, ())) if write else NoLog() for name in LOGS}


def sound(content: bytes, marks: Sequence[Mark]) -> int:
    """How many of the marks, from the first, a log's contents agree with."""
    hashed, at = hasher(), 0
    for number, (size, digest) in enumerate(marks):
        hashed.update(content[at:size])
        at = size
        if len(content) < size or digest not in (None, hashed.hexdigest()):
            return number
    return len(marks)


def lines(content: bytes) -> int:
    """The length in bytes of the whole lines, each a JSON object, that a log begins with."""
    at = 0
    while (end := content.find(b"\n", at)) >= 0:
        try:
            whole = isinstance(json.loads(content[at:end]), dict)
        except (ValueError, RecursionError):
            whole = False
        if not whole:
            break
        at = end + 1
    return at


def read_log(run: Path, name: str = METRICS) -> bytes:
    """The contents of a run's log, empty if there is none; checked as far as its checkpoint vouches for it.

    Raises ResiduaError if it cannot be read or is damaged.
    """
    marks = _stated(run / LAST, name)  # first: a training that goes on adds to the log meanwhile
    content = read_bytes(run / name)
    if sound(content, marks) < len(marks):
        from residua.weights.tensor_files import read_tensors

        read_tensors(run / LAST)  # raises, if it is the checkpoint that is damaged
        raise ResiduaError(
            f"{run / name} is damaged: it is not what {LAST.name} knows of it; the weights are whole, and "
            f"{command('residua', 'train', '--resume', run)} cuts it back to the lines that are"
        )
    return content


def damaged_logs(run: Path) -> list[str]:
    """The names of a run's logs that are not what its checkpoint knows of them."""
    marks = {name: _stated(run / LAST, name) for name in LOGS}
    return [name for name in LOGS if sound(read_bytes(run / name), marks[name]) < len(marks[name])]


def _stated(checkpoint: Path, name: str) -> list[Mark]:
    """The marks of a log in the header of a checkpoint; none where that says nothing or cannot be read."""
    if not checkpoint.exists():
        return []
    from residua.weights.tensor_files import read_about

    try:
        marks = read_about(checkpoint)["state"]["logs"][name]
        return [(int(size), digest) for size, digest in marks]
    except (ResiduaError, LookupError, TypeError, ValueError):  # who goes on from it is told
        return []


def read_bytes(path: Path) -> bytes:
    """The contents of a log, empty if there is none, unchecked. Raises ResiduaError if it cannot be read."""
    try:
        return path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise ResiduaError(f"cannot read {path}: {error.strerror or error}") from error


def _unwritable(path: Path, error: OSError) -> ResiduaError:
    return ResiduaError(f"cannot write {path}: {error.strerror or error}")
