"""What a caller may have done during a training: after every step, after every epoch, and at the end.

Callbacks are told facts. The bits of a run do not follow them, unless one changes the network itself: every step seeds
its own draws, and torch's generator is put back after each call. They are not stored: ``resume`` is given them again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import nn

from residua.errors import ResiduaError, UsageError

When = Literal["on_step", "on_epoch", "on_end"]


class StopTraining(Exception):
    """Raised by a callback to end the training early: the epoch is closed, the test part measured, the run complete.

    The message is the reason, which ``result.json`` keeps under ``stopped``.
    """


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Where a training stands. Nothing here can be set; ``network`` is the one that is trained, eager and unwrapped."""

    step: int  # steps that are done
    total_steps: int
    epoch: int  # the one that the last step was of, from 0
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    network: nn.Module
    folder: Path  # the run folder

    def __post_init__(self) -> None:
        object.__setattr__(self, "metrics", MappingProxyType(dict(self.metrics)))


class Callback:
    """Base of callbacks: does nothing. Override what is wanted."""

    def on_step(self, moment: Moment) -> None:
        """After every step; ``metrics`` are ``lr`` and, of the steps that metrics.jsonl has a line of, ``loss``."""

    def on_epoch(self, moment: Moment) -> None:
        """After every epoch and its validation; ``metrics`` are those of its line in metrics.jsonl."""

    def on_end(self, moment: Moment) -> None:
        """After the last epoch; ``metrics`` are the figures of the test part. The run is complete after this."""


@dataclass(kw_only=True)
class Callbacks:
    """Those of a training. ``stopped`` is who ended it early, with the reason."""

    given: Sequence[Callback] = ()
    stopped: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        for one in self.given:
            if not isinstance(one, Callback):
                raise UsageError(
                    f"a callback is a residua.train.Callback with methods of its own, not {type(one).__name__}"
                )

    def call(self, when: When, moment: Moment) -> None:
        """Tell all of them. Raises ResiduaError that names the first that fails; who asks to stop is in ``stopped``."""
        with torch.random.fork_rng(devices=[]):
            for one in self.given:
                try:
                    getattr(one, when)(moment)
                except StopTraining as stop:
                    self.stopped = {"by": type(one).__name__, "step": moment.step, "why": str(stop)}
                except (
                    Exception
                ) as error:  # a caller's code: whatever it is, the run is saved and says who it was
                    reason = " ".join(str(error).split())
                    raise ResiduaError(
                        f"the callback {type(one).__name__} failed in {when} at step {moment.step}: "
                        f"{type(error).__name__}{f': {reason}' if reason else ''}"
                    ) from error
