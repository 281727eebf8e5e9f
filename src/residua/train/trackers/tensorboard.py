"""TensorBoard: event files in ``<run>/tensorboard``, a scalar for each figure of an epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from residua.parts import register
from residua.runs.layout import EVENTS
from residua.spec import Tracker
from residua.train.track import figures


@register
@dataclass(frozen=True, kw_only=True)
class TensorBoard(Tracker):
    """What every run is followed by where TensorBoard is installed and nothing else is asked for."""

    kind: ClassVar[str] = "tensorboard"
    package: ClassVar[str] = "tensorboard"

    def follow(self, run: Any, step: int) -> _Events:  # noqa: D102
        from torch.utils.tensorboard import SummaryWriter

        # purge_step: what an interrupted session wrote after its checkpoint is about to be written again
        return _Events(SummaryWriter(run.path / EVENTS, purge_step=step + 1 if step else None))


@dataclass(frozen=True)
class _Events:
    writer: Any

    def epoch(self, line: Mapping[str, Any]) -> None:
        for name, value in figures(line).items():
            part, _, metric = name.rpartition("_")
            self.writer.add_scalar(f"{metric}/{part}" if part else name, value, line["step"])

    def close(self, result: Mapping[str, Any] | None) -> None:
        self.writer.close()
