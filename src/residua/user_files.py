"""A user's own Python file: run because the user names it, here and in every process that trains its networks.

Nothing else makes residua run a file: no spec, run folder or weight file can name one.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
import traceback
import types
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from residua.errors import ResiduaError, UsageError
from residua.experiments.cell import Cell
from residua.experiments.reproduce import Outcome
from residua.models.units import unit_names
from residua.registry import families
from residua.spec import ModelSpec


@dataclass(frozen=True)
class OwnFile:
    """The text of a file that registers a block or a network; what it imports must be installed."""

    name: str
    text: str

    @classmethod
    def read(cls, path: Path) -> OwnFile:
        """Read it. Raises UsageError if there is none."""
        try:
            return cls(path.name, path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error

    @property
    def digest(self) -> str:
        """Of the text: networks of another version of the file are other networks."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:8]

    def run(self) -> dict[str, ModelSpec | str]:
        """Run it, once in a process, and return what it has to compare by name.

        That is its specs, and the networks and units that it registers (``"network"``, ``"unit"``). What it prints
        goes to stderr. Raises ResiduaError with the line that fails.
        """
        if self in _ran:
            return _ran[self]
        networks, units = _networks(), set(unit_names())
        module = types.ModuleType(f"residua_own_{self.digest}")
        sys.modules[module.__name__] = module  # dataclasses look their module up
        try:
            code = compile(self.text, self.name, "exec", dont_inherit=True)
            with contextlib.redirect_stdout(sys.stderr):
                exec(code, module.__dict__)
        except (Exception, SystemExit) as error:
            raise ResiduaError(f"{self.name}{self._line(error)}: {_said(error)}") from error
        found: dict[str, ModelSpec | str] = dict.fromkeys(sorted(set(unit_names()) - units), "unit")
        found |= dict.fromkeys(sorted(_networks() - networks), "network")
        _ran[self] = found | {k: v for k, v in vars(module).items() if isinstance(v, ModelSpec)}
        return _ran[self]

    def _line(self, error: BaseException) -> str:
        if isinstance(error, SyntaxError):
            return f", line {error.lineno}"
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == self.name]
        return f", line {lines[-1]}" if lines else ""


_ran: dict[OwnFile, dict[str, ModelSpec | str]] = {}


class OwnExecutor:
    """An executor whose processes run the files before they work; ``make`` makes the one inside."""

    def __init__(self, make: Callable[[], Any], files: tuple[OwnFile, ...]) -> None:
        self._make, self._files, self._inner = make, files, make()

    def submit(self, work: Callable[[Cell], Outcome], cell: Cell) -> Future[Outcome]:
        """Run ``work(cell)`` in a process that knows what the files register; a pool that broke is made anew."""
        prepared = partial(_prepared, self._files, work)
        try:
            return self._inner.submit(prepared, cell)
        except BrokenProcessPool:
            self._inner.shutdown(wait=False, cancel_futures=True)
            self._inner = self._make()
            return self._inner.submit(prepared, cell)

    def shutdown(self, wait: bool = True, cancel_futures: bool = False) -> None:
        """As of any executor."""
        self._inner.shutdown(wait=wait, cancel_futures=cancel_futures)


def _prepared(files: tuple[OwnFile, ...], work: Callable[[Cell], Outcome], cell: Cell) -> Outcome:
    try:
        for file in files:
            file.run()
    except ResiduaError as error:  # of a node that lacks what the file imports
        return Outcome(error=str(error))
    return work(cell)


def _networks() -> set[str]:
    return {name for family in families().values() for name in family.named}


def _said(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    kind = "" if isinstance(error, ResiduaError) else type(error).__name__
    return ": ".join(filter(None, (kind, text)))[:300]
