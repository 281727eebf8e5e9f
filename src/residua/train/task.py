"""What the loop knows of a training: a Task. Classification is one; GANs, language models and detectors are others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from torch import Tensor, nn
from torch.optim import Optimizer


@dataclass(frozen=True)
class Metric:
    """A figure of merit: its name in the task's sums, and whether higher is better."""

    name: str
    direction: Literal["max", "min"]

    def better(self, new: float, old: float | None) -> bool:
        """Whether ``new`` beats ``old``; anything beats nothing."""
        if old is None:
            return True
        return new > old if self.direction == "max" else new < old


class Task(Protocol):
    """Networks and optimisers by name, one training step, one evaluation step, and a metric to choose by.

    Both steps return sums over their batch as 0-d tensors, ``"count"`` among them; the loop divides by the count.
    The loop sets every optimiser's learning rate before a step: ``initial_lr`` of each group times the schedule.
    """

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """Every network, by name."""
        ...

    @property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """Every optimiser, by name."""
        ...

    @property
    def primary(self) -> Metric:
        """What the best weights are chosen by."""
        ...

    def step(self, batch: Any, progress: float) -> dict[str, Tensor]:
        """Train on a batch; ``progress`` is the part of the training that is done, in [0, 1)."""
        ...

    def evaluate(self, batch: Any) -> dict[str, Tensor]:
        """Measure a batch without training."""
        ...


@runtime_checkable
class SummingTask(Task, Protocol):
    """A task whose figures are no means over the samples: a ratio of sums, a distance, an average precision.

    The sums of its ``evaluate`` may be tensors of any shape (a confusion matrix, moments of features).
    """

    def metrics(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        """The figures of an evaluation, from what ``evaluate`` gave, summed over its batches."""
        ...


@runtime_checkable
class IllustratedTask(Task, Protocol):
    """A task that has something to show once it is trained."""

    def illustrate(self, folder: Path) -> None:
        """Write pictures into the run folder, before the run is declared complete."""
        ...


class Batches(Protocol):
    """Training batches; batch i of epoch e is the same whenever it is asked for, so that a run can resume inside."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch."""
        ...

    def epoch(self, epoch: int, start: int = 0) -> Any:
        """Iterate over the batches of an epoch, from the one at ``start``."""
        ...
