"""What a person sees of a grid, on stderr: a bar with the time left on a terminal, a line a cell elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any

from residua.names import shown


class GridBar:
    """The progress of ``reproduce`` and ``compare``."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._bar: Any = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.description}", markup=False),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task("", total=None)
            self._bar.start()

    def update(self, done: int, total: int, text: str) -> None:
        """As of a grid's progress."""
        from residua.train.progress import clock

        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total, description=shown(text))
            if done == total:
                self._bar.stop()
            return
        left = (time.monotonic() - self._began) / done * (total - done)
        print(f"{done}/{total}  {shown(text)}  {clock(left)} left", file=sys.stderr, flush=True)
