"""The cells of a grid in processes of this machine."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from residua.experiments.attempt import CellResult, attempt
from residua.experiments.cell import Cell
from residua.user_files import UserFile


class LocalExecutor:
    """A pool of ``jobs`` processes; one that a killed process has broken is made anew at the next cell."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._pool = self._make()

    def submit(self, cell: Cell, files: Sequence[UserFile]) -> Future[CellResult]:
        """Run a cell in a process that knows what the files register.

        Its future raises BrokenProcessPool if a process of the pool was killed: not every such cell is to blame.
        """
        try:
            return self._pool.submit(attempt, cell, files)
        except BrokenProcessPool:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = self._make()
            return self._pool.submit(attempt, cell, files)

    def close(self) -> None:
        """Wait for the cells that are under way (after Ctrl-C they write their checkpoints) and end the processes."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _make(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self._jobs, mp_context=get_context("spawn"), initializer=_ignore_ctrl_c)


def _ignore_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
