"""What a training leaves to go on from: its checkpoints, and the weights that did best."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from residua.runs.checkpoint import PREFIX, State, network_tensors, save_checkpoint
from residua.runs.layout import BEST
from residua.runs.logs import Log, NoLog
from residua.train.averages import Averages
from residua.train.guard import Guard
from residua.train.task import Task
from residua.weights.model_files import save_tensors


class Saving:
    """Writes checkpoints into ``folder``, if this process ``writes``: of several that share a training, one does."""

    def __init__(
        self,
        task: Task,
        folder: Path,
        about: Mapping[str, Any],
        averages: Averages,
        guard: Guard,
        seconds: float,
        *,
        writes: bool,
    ) -> None:
        self._task, self._folder, self._about = task, folder, about
        self._averages, self._guard, self._writes = averages, guard, writes
        self._earlier, self._began = (
            seconds,
            time.monotonic(),
        )  # what earlier sessions took, and this one's start

    def checkpoint(
        self, name: Path, state: State, sums: Mapping[str, Tensor], logs: Mapping[str, Log | NoLog]
    ) -> None:
        """The whole training as it stands, with the logs as far as they are written."""
        if state.step > self._guard.saved:  # of several processes, all stop at the same step
            self._guard.look_at_weights(state.step, self._task.networks.values())
        if not self._writes:
            return
        state.sums = {n: self._guard.finite(state.step, float(value)) for n, value in sums.items()}
        state.seconds = self._earlier + time.monotonic() - self._began
        for log_name, log in logs.items():
            log.sync()
            state.logs[log_name] = log.marks
        save_checkpoint(self._folder / name, self._task, state, self._about, self._averages.tensors)

    def best(self, epoch: int | None) -> None:
        """The weights as they are, which did best so far."""
        if self._writes:
            about = {"schema": 1, "model_prefix": PREFIX, "epoch": epoch, **self._about}
            save_tensors(self._folder / BEST, network_tensors(self._task), about)
