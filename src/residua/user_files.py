"""Python files of the user's own, run because the command line names them (``--with FILE``), once in a process.

What such a file registers (a unit, a network, a paper ...) is then known to the verb, and to every process that works
for it. Nothing else makes residua run a file: no spec, run folder or weight file can name one. A run folder records
the name and the digest of the files that it was trained with, for the reader: they are never looked for.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
import traceback
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from residua.errors import ResiduaError, UsageError
from residua.parts import ROOMS, parts


@dataclass(frozen=True)
class UserFile:
    """The text of a file; what it imports must be installed."""

    name: str
    text: str

    @classmethod
    def read(cls, path: str | Path) -> UserFile:
        """Read it. Raises UsageError if there is none."""
        path = Path(path)
        try:
            return cls(path.name, path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error

    @property
    def digest(self) -> str:
        """Of the text (SHA-256): what another version of the file registers is something else."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def run(self) -> Brought:
        """Run it, once in a process, and return what came of it. What it prints goes to stderr.

        Raises ResiduaError with the line that fails.
        """
        if self in _ran:
            return _ran[self]
        before = _known()
        module = types.ModuleType(f"residua_user_file_{self.digest[:8]}")
        sys.modules[module.__name__] = module  # dataclasses look their module up
        try:
            code = compile(self.text, self.name, "exec", dont_inherit=True)
            with contextlib.redirect_stdout(sys.stderr):
                exec(code, module.__dict__)
        except (Exception, SystemExit) as error:
            raise ResiduaError(f"{self.name}{self._line(error)}: {_what_went_wrong(error)}") from error
        _ran[self] = Brought(parts=frozenset(_known() - before), values=vars(module))
        return _ran[self]

    def _line(self, error: BaseException) -> str:
        if isinstance(error, SyntaxError):
            return f", line {error.lineno}"
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == self.name]
        return f", line {lines[-1]}" if lines else ""


@dataclass(frozen=True, kw_only=True)
class Brought:
    """What a file has brought: slot and kind of the parts that it registers, and its global names."""

    parts: frozenset[tuple[str, str]]
    values: Mapping[str, Any]


_ran: dict[UserFile, Brought] = {}


def files_in_use() -> tuple[UserFile, ...]:
    """The files that this process has run, in order: what another one must run before it works for this one."""
    return tuple(_ran)


def digests(files: Iterable[UserFile]) -> dict[str, str]:
    """Name and digest of each file, as run folders record them."""
    return {file.name: file.digest for file in files}


def files_behind(values: Any) -> tuple[UserFile, ...]:
    """The files that bring a part that plain values (of a spec) name."""
    named = set(_texts(values))
    return tuple(file for file, brought in _ran.items() if named & {kind for _, kind in brought.parts})


def files_missing(recorded: Mapping[str, str]) -> str:
    """What to say of the files that a run was trained with and that this process has not run; empty: nothing."""
    missing = [name for name in recorded if name not in digests(_ran)]
    return f"it was trained with {', '.join(missing)}: --with FILE names it" if missing else ""


def files_changed(recorded: Mapping[str, str]) -> str:
    """What to say of the files of which this process has run another version; empty: nothing."""
    now = digests(_ran)
    changed = [name for name, digest in recorded.items() if now.get(name, digest) != digest]
    return f"it was trained with another version of {', '.join(changed)}" if changed else ""


def _known() -> set[tuple[str, str]]:
    """Slot and kind of every part; residua's own are imported, so that none of them is taken for the file's."""
    return {(slot, kind) for slot in ROOMS for kind in parts(slot)}


def _texts(values: Any) -> Iterable[str]:
    if isinstance(values, str):
        yield values
    elif isinstance(values, Mapping | list | tuple):
        for value in values.values() if isinstance(values, Mapping) else values:
            yield from _texts(value)


def _what_went_wrong(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    kind = "" if isinstance(error, ResiduaError) else type(error).__name__
    return ": ".join(filter(None, (kind, text)))[:300]
