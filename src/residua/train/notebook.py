"""The progress of a training in a notebook: one bar, redrawn in the cell. IPython is there where a notebook is."""

from __future__ import annotations

import html
import time
from typing import Any

from residua.names import shown
from residua.train.progress import Progress, clock, summary

_REDRAWN = 0.25  # seconds, at least: each is a message to the browser


class Cell(Progress):
    """A bar with the time left and the figures of the last epoch, and notes below it."""

    def __init__(self) -> None:
        self._done = self._first = self._total = 0
        self._said, self._notes = "", []
        self._began = self._drawn = time.monotonic()
        self._handle: Any = None

    def start(self, step: int, total_steps: int, steps_per_epoch: int) -> None:  # noqa: D102
        self._done, self._first, self._total = step, step, total_steps
        self._began = time.monotonic()
        self._draw()

    def step(self, step: int) -> None:  # noqa: D102
        self._done = step
        if time.monotonic() - self._drawn > _REDRAWN:
            self._draw()

    def epoch(self, line: dict[str, Any]) -> None:  # noqa: D102
        self._done, self._said = line["step"], summary(line)

    def note(self, text: str) -> None:  # noqa: D102
        self._notes.append(shown(text))
        self._draw()

    def stop(self) -> None:  # noqa: D102
        if self._handle is not None:
            self._draw()

    def _left(self) -> str:
        done, since = self._done - self._first, time.monotonic() - self._began
        if self._done >= self._total:
            return clock(since)
        return f"{clock(since / done * (self._total - self._done))} left" if done else ""

    def _draw(self) -> None:
        from IPython.display import display

        self._drawn = time.monotonic()
        if self._handle is None:
            self._handle = display(self, display_id=True)
        else:
            self._handle.update(self)

    def _repr_html_(self) -> str:
        said = html.escape("  ".join(filter(None, [self._said, self._left()])))
        bar = (
            f'<progress value="{self._done}" max="{max(self._total, 1)}" aria-label="training"></progress> '
            f"{self._done:,} of {self._total:,} steps {said}"
            if self._total
            else ""
        )
        return "<br>".join([bar, *map(html.escape, self._notes)] if bar else map(html.escape, self._notes))

    def __repr__(self) -> str:
        bar = f"{self._done} of {self._total} steps  {self._said}  {self._left()}".rstrip()
        return "\n".join([*([bar] if self._total else []), *self._notes])
