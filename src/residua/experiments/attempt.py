"""One attempt at a cell, in whatever process it is made: what came of it, as a value that can be sent back."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from residua.errors import ResiduaError
from residua.experiments.cell import Cell
from residua.experiments.run_cell import run_cell
from residua.files import InUse
from residua.train import Interrupted
from residua.user_files import UserFile

_BUSY_SECONDS = 2.0  # between looks at a cell that another process runs


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """How a cell ended: its measures, or what went wrong in one line."""

    measures: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    interrupted: bool = False


def attempt(cell: Cell, files: Sequence[UserFile] = ()) -> CellResult:
    """Run a cell, after the user's files; an exception comes back as text, for not every exception can be sent."""
    try:
        with _interruptible():
            for file in files:
                file.run()
            while True:
                try:
                    return CellResult(measures=run_cell(cell))
                except InUse:  # another grid runs the same cell: its result will do
                    time.sleep(_BUSY_SECONDS)
    except (Interrupted, KeyboardInterrupt):
        return CellResult(interrupted=True)
    except Exception as error:
        kind = "" if isinstance(error, ResiduaError) else f"{type(error).__name__}: "
        return CellResult(error=kind + " ".join(str(error).split())[:300])


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C reaches every process of the terminal: those of a pool heed it while they run a cell, and only then."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
