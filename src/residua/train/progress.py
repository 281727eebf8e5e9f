"""What a person sees of a training, on stderr: a bar with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import Any

from residua.names import shown

_LINE_SECONDS = 2.0  # at most one plain line in this time


class Progress:
    """Silent: told of everything, shows nothing. The base of those that show something."""

    def start(self, step: int, total_steps: int, steps_per_epoch: int) -> None:
        """Training starts, or goes on, at ``step``."""

    def step(self, step: int) -> None:
        """``step`` steps are done."""

    def epoch(self, line: dict[str, Any]) -> None:
        """An epoch is done; ``line`` is what metrics.jsonl got."""

    def note(self, text: str) -> None:
        """Something that the user should know."""

    def stop(self) -> None:
        """Training has ended, in whatever way."""


class _Stderr:
    """stderr, whether or not it takes what is written: a training does not end because nobody reads.

    A reader that has seen enough (``| head``), a terminal that was closed, a log's disk that is full.
    """

    def __init__(self) -> None:
        self._stream = sys.stderr  # as it is now: rich puts one of its own there while a bar is drawn

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Lines(Progress):
    """Plain lines, for files and pipes."""

    def __init__(self) -> None:
        self._shown = 0.0
        self._began = time.monotonic()
        self._first = self._total = 0

    def start(self, step: int, total_steps: int, steps_per_epoch: int) -> None:  # noqa: D102
        self._first, self._total, self._began = step, total_steps, time.monotonic()
        epochs = total_steps / steps_per_epoch
        self.note(f"{total_steps} steps, {epochs:g} epochs" + (f", from step {step}" if step else ""))

    def epoch(self, line: dict[str, Any]) -> None:  # noqa: D102
        now = time.monotonic()
        if now - self._shown < _LINE_SECONDS and line["step"] < self._total:
            return
        self._shown = now
        left = (now - self._began) / max(line["step"] - self._first, 1) * (self._total - line["step"])
        self.note(f"{summary(line)}  {clock(left)} left")

    def note(self, text: str) -> None:  # noqa: D102
        print(shown(text), file=_Stderr(), flush=True)


class Bar(Progress):
    """A bar with the time left, for terminals."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as RichProgress

        stderr: Any = _Stderr()
        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(file=stderr),
        )
        self._task = self._bar.add_task("training", total=None)
        self._drawn = 0.0

    def start(self, step: int, total_steps: int, steps_per_epoch: int) -> None:  # noqa: D102
        self._bar.update(self._task, completed=step, total=total_steps)
        self._bar.start()

    def step(self, step: int) -> None:  # noqa: D102
        now = time.monotonic()
        if now - self._drawn > 0.1:  # updating a bar costs more than a step of a tiny network
            self._drawn = now
            self._bar.update(self._task, completed=step)

    def epoch(self, line: dict[str, Any]) -> None:  # noqa: D102
        self._bar.update(self._task, completed=line["step"], description=summary(line))

    def note(self, text: str) -> None:  # noqa: D102
        self._bar.console.print(shown(text), markup=False, highlight=False)

    def stop(self) -> None:  # noqa: D102
        self._bar.stop()


def make_progress(show: bool | Progress) -> Progress:
    """The progress to show: a bar on a terminal or in a notebook, lines elsewhere, nothing if ``show`` is False."""
    if isinstance(show, Progress):
        return show
    if not show:
        return Progress()
    if in_notebook():
        from residua.train.notebook import Cell

        return Cell()
    return Bar() if sys.stderr.isatty() else Lines()


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this, whose output is drawn in a cell; nothing is imported to find out."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and "IPKernelApp" in shell.config


def summary(line: dict[str, Any]) -> str:
    """An epoch's line in words: ``epoch 3  loss 0.412  accuracy 0.871  val 0.853``."""
    labels = {"train_loss": "loss", "train_accuracy": "accuracy", "val_accuracy": "val"}
    labels |= {
        key: key.replace("_", " ")
        for key in line
        if key.startswith("val_") and key not in ("val_loss", "val_accuracy", "val_balanced_accuracy")
    }
    figures = ((label, line[key]) for key, label in labels.items() if line.get(key) is not None)
    return "  ".join([f"epoch {line['epoch'] + 1}", *(f"{label} {value:.3f}" for label, value in figures)])


def clock(seconds: float) -> str:
    """Seconds as ``45 s``, ``3:05 min`` or ``2:10 h``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d} h"
