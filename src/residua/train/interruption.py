"""How a training is asked to stop, and what it says then."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from residua.errors import ResiduaError
from residua.names import command

_STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl-C, kill, a closed terminal


class Interrupted(ResiduaError):
    """A run was asked to stop (Ctrl-C, SIGTERM, a closed terminal); its folder holds all that is needed to go on.

    ``step`` is the one that the checkpoint stands at, if a training step was under way.
    """

    def __init__(self, signal_number: int, how_to_go_on: str, step: int | None = None) -> None:
        super().__init__(f"interrupted{'' if step is None else f' at step {step}'}: {how_to_go_on}")
        self.exit_code = 128 + signal_number
        self.step = step


def how_to_go_on(folder: Path) -> str:
    """The command, for messages."""
    return f"{command('residua', 'train', '--resume', folder)} goes on"


@contextmanager
def telling_how_to_go_on(folder: Path) -> Iterator[None]:
    """A Ctrl-C around the loop, where data are read or test images measured, says the same as one in it."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(signal.SIGINT, how_to_go_on(folder)) from None


@contextmanager
def signals(handle: Callable[[int], None]) -> Iterator[None]:
    """Turn the first of ``_STOPPING`` into a request to stop at the next step; a second one acts at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers: dict[int, Any] = {
        n: signal.getsignal(n) for n in (getattr(signal, name, None) for name in _STOPPING) if n is not None
    }
    before = {n: handler for n, handler in handlers.items() if handler is not signal.SIG_IGN}  # as nohup's

    def ask(number: int, frame: FrameType | None) -> None:
        signal.signal(number, before[number])
        handle(number)

    for number in before:
        signal.signal(number, ask)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
