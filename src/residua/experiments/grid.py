"""A grid: the cells of several experiments, each run once, until the verdicts are decided.

Cells are independent folders, so a grid may be stopped in any way and go on later: what is complete is skipped, what
was interrupted continues bit for bit. A cell that fails is named in the result, and the others go on.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Protocol

from residua.errors import ResiduaError
from residua.experiments.attempt import CellResult
from residua.experiments.cell import Cell
from residua.experiments.run_cell import measures
from residua.experiments.study import Study, Wanted
from residua.user_files import UserFile, files_in_use

_ATTEMPTS = 3  # of a cell whose process is killed


class GridProgress(Protocol):
    """Told of a grid while it runs."""

    def update(self, done: int, total: int, text: str) -> None:
        """``done`` of the ``total`` cells that are planned so far are complete; the last one is described."""
        ...


class CellExecutor(Protocol):
    """Where cells run."""

    def submit(self, cell: Cell, files: Sequence[UserFile]) -> Future[CellResult]:
        """Run a cell in a process that knows what the user's files register."""
        ...

    def close(self) -> None:
        """Let what is under way write its checkpoints, and end."""
        ...


class GridStopped(ResiduaError):
    """A grid was stopped by Ctrl-C; the same command goes on with it."""

    exit_code = 128 + signal.SIGINT


class Grid:
    """The cells of several experiments, at most ``jobs`` at once, none twice and no two in one folder."""

    def __init__(
        self, studies: Sequence[Study], executor: CellExecutor, jobs: int, progress: GridProgress | None
    ) -> None:
        self._studies, self._executor, self._jobs, self._progress = studies, executor, jobs, progress
        self._waiting: deque[Cell] = deque()
        self._running: dict[Future[CellResult], Cell] = {}
        self._attempts: dict[str, int] = {}
        self._wanted: dict[str, list[tuple[Study, Wanted]]] = {}  # key of a cell: who waits for it
        self._left: dict[str, int] = {}  # experiment: cells it still waits for
        self._done = self._total = 0

    def run(self, finished: Callable[[Study], object]) -> None:
        """Run everything to its verdicts; ``finished(study)`` is called as each is done. Raises GridStopped."""
        self._finished = finished
        for study in self._studies:
            self._advance(study)
        try:
            while self._waiting or self._running:
                self._submit()
                done, _ = wait(self._running, return_when=FIRST_COMPLETED)
                for future in done:
                    self._collect(future)
        except KeyboardInterrupt:
            raise GridStopped("interrupted; the same command goes on where it stopped") from None

    def _advance(self, study: Study) -> None:
        """Ask for an experiment's next cells; those that are complete already are read at once."""
        while wanted := study.next_cells():
            self._total += len(wanted)
            left = 0
            for item in wanted:
                if item.cell.complete:
                    self._done += 1
                    study.evidence.setdefault(item.arm, {})[item.seed] = measures(item.cell)
                    continue
                left += 1
                waiters = self._wanted.setdefault(_key(item.cell), [])
                if not waiters:
                    self._waiting.append(item.cell)
                waiters.append((study, item))
            self._left[study.experiment.id] = left
            if left:
                return
        self._finished(study)

    def _submit(self) -> None:
        """Start cells while there is room; one whose folder is being worked in waits."""
        busy = {cell.folder for cell in self._running.values()}
        for _ in range(len(self._waiting)):
            if len(self._running) >= self._jobs:
                return
            cell = self._waiting.popleft()
            if cell.folder in busy:
                self._waiting.append(cell)
                continue
            busy.add(cell.folder)
            self._running[self._executor.submit(cell, files_in_use())] = cell

    def _collect(self, future: Future[CellResult]) -> None:
        cell = self._running.pop(future)
        key = _key(cell)
        try:
            ended = future.result()
        except BrokenProcessPool:
            self._attempts[key] = self._attempts.get(key, 0) + 1
            if self._attempts[key] < _ATTEMPTS:
                self._waiting.append(cell)
                return
            ended = CellResult(error="its process was killed (out of memory?)")
        if ended.interrupted:
            raise KeyboardInterrupt
        for study, item in self._wanted.pop(key):
            self._done += 1
            if ended.error:
                study.failed[f"{item.arm}, seed {item.seed}"] = ended.error
            else:
                study.evidence.setdefault(item.arm, {})[item.seed] = ended.measures
            if self._progress is not None:
                text = f"{study.experiment.id}  {item.arm}  seed {item.seed}"
                text += f": {ended.error}" if ended.error else ""
                self._progress.update(self._done, self._total, text)
            self._left[study.experiment.id] -= 1
            if not self._left[study.experiment.id]:
                self._advance(study)


def _key(cell: Cell) -> str:
    return f"{cell.folder}|{cell.measured.name}"
