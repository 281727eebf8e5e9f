"""TensorBoard, when its extra is installed: the same figures as metrics.jsonl, in ``<run>/tensorboard``."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from residua.runs.layout import EVENTS
from residua.train.progress import Progress


@contextmanager
def tracked(folder: Path, progress: Progress) -> Iterator[Progress]:
    """``progress``, which also writes TensorBoard's event files if TensorBoard is installed."""
    if importlib.util.find_spec("tensorboard") is None:
        yield progress
        return
    tracker = _Tracker(folder / EVENTS, progress)
    try:
        yield tracker
    finally:
        tracker.close()


class _Tracker(Progress):
    """Hands everything on to another progress and writes each epoch's figures."""

    def __init__(self, folder: Path, inner: Progress) -> None:
        self._folder, self._inner, self._writer = folder, inner, None

    def start(self, step: int, total_steps: int, steps_per_epoch: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # purge_step: what an interrupted session wrote after its checkpoint is about to be written again
        self._writer = SummaryWriter(self._folder, purge_step=step + 1 if step else None)
        self._inner.start(step, total_steps, steps_per_epoch)

    def step(self, step: int) -> None:
        self._inner.step(step)

    def epoch(self, line: dict[str, Any]) -> None:
        assert self._writer is not None
        for name, value in line.items():
            if name not in ("event", "epoch", "step") and value is not None:
                part, _, metric = name.rpartition("_")
                self._writer.add_scalar(f"{metric}/{part}" if part else name, value, line["step"])
        self._inner.epoch(line)

    def note(self, text: str) -> None:
        self._inner.note(text)

    def stop(self) -> None:
        self._inner.stop()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
