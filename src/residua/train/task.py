"""What the loop knows of a training: a Task; and which task trains a network on some data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn
from torch.optim import Optimizer

from residua.data import AnyData
from residua.errors import UsageError
from residua.nn.conventions import Classifier
from residua.parts import find
from residua.registry import family
from residua.runs.folder import RunFolder
from residua.runs.plan import Plan
from residua.spec import Metric, ModelSpec, Recipe, TaskSpec
from residua.train.processes import ALONE, Processes


class Task(Protocol):
    """Networks and optimisers by name, one training step, one evaluation step, and a metric to choose by.

    Both steps return sums over their batch, ``"count"`` among them. Those of a training step are 0-d tensors, which the
    loop divides by the count; those of an evaluation may be tensors of any shape (a confusion matrix, moments of
    features) or lists. The loop sets every optimiser's learning rate before a step: ``initial_lr`` of each group times
    the schedule.
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

    def step(self, batch: Any, progress: float) -> Mapping[str, Tensor]:
        """Train on a batch; ``progress`` is the part of the training that is done, in [0, 1)."""
        ...

    def evaluate(self, batch: Any) -> Mapping[str, Any]:
        """Measure a batch without training."""
        ...

    def metrics(self, sums: Mapping[str, Any]) -> dict[str, float]:
        """The figures of an evaluation, from what ``evaluate`` gave, summed over its batches in float64."""
        ...


@runtime_checkable
class IllustratedTask(Task, Protocol):
    """A task that has something to show once it is trained."""

    def illustrate(self, folder: Path) -> None:
        """Write pictures into the run folder, before the run is declared complete."""
        ...


@runtime_checkable
class DividedTask(Task, Protocol):
    """A task whose step several processes can share: each is given the whole batch, and all the whole batch's sums."""

    def divide(self, processes: Processes) -> None:
        """Share every step from now on. Raises UsageError if that cannot be."""
        ...


@runtime_checkable
class Recounting(Task, Protocol):
    """A task whose batch norms can count their statistics anew."""

    def recount(self, batches: Iterable[Any]) -> None:
        """Replace the batch statistics of the networks by those of some training batches; nothing is learned."""
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


def task_of(network: ModelSpec, told: Mapping[str, Any], recipe: Recipe | None = None) -> TaskSpec:
    """The recipe's task, else the one that the data are for, else what the network's family is trained for.

    ``told`` is what the data tell of themselves (``AnyData.about``), as ``data.json`` and weight files keep it.
    Raises UsageError for a task that does not train such networks.
    """
    usual = family(network.family).task
    task = (recipe and recipe.task) or find("task", told.get("task") or usual)()
    if (task.networks or task.kind) != usual:
        raise UsageError(
            f"{network.name} is made for {usual}, which the task {task.kind!r} does not train: another "
            f"model, or --set recipe.task={usual}"
        )
    return task


def run_task(run: RunFolder) -> TaskSpec:
    """What a run is trained for. Raises ResiduaError if its files are damaged."""
    return task_of(run.spec, run.data, run.recipe)


def make_task(network: Any, recipe: Recipe, plan: Plan, data: AnyData) -> Task:
    """The task that trains a network by a recipe on some data.

    Raises UsageError where these do not suit each other: labels that cannot be blended, a network without stem, stages
    and head that is to be fine-tuned.
    """
    if recipe.finetuning is not None and not isinstance(network, Classifier):
        raise UsageError(
            f"{recipe.finetuning.title()} is for classifiers; {network.spec.name} has no layers between a stem and a "
            "head: --set recipe.finetuning=none, or a recipe without it"
        )
    task = task_of(network.spec, data.about(), recipe)
    for part in recipe.augmentation:
        if part.blends_classes and task.answers != "classes":
            raise UsageError(f"{part.kind} blends classes, which {task.kind} has not")
    made = task.make(network, recipe, plan, data)
    averaging = recipe.averaging
    if averaging is not None and averaging.recounted() and not isinstance(made, Recounting):
        raise UsageError(
            f"{averaging.title()} has batch norms count anew, which {task.kind} cannot: recipe.averaging=ema"
        )
    return made


def divide(task: Task, name: str, processes: Processes) -> None:
    """Have the processes share the task's steps. Raises UsageError for a task, of this name, that cannot be shared."""
    if processes.count == 1:
        return
    if not isinstance(task, DividedTask):
        raise UsageError(f"the task {name} is trained by one process")
    task.divide(processes)


def measure(
    task: Task, batches: Iterable[Any], processes: Processes = ALONE
) -> tuple[dict[str, float | None], int]:
    """Every metric of a task over ``batches``, and of how many samples; of several processes, over those of all.

    A figure is None where it is not finite: networks recover from that.
    """
    own: dict[str, Any] = {}
    for batch in batches:
        _add(own, task.evaluate(batch))
    if processes.count > 1:  # what is sent must not name a device
        own = {name: value.cpu() if isinstance(value, Tensor) else value for name, value in own.items()}
    sums: dict[str, Any] = {}
    for of_one in processes.of_all(own):
        _add(sums, of_one)
    figures = task.metrics(sums) if sums else {}
    finite = {name: value if math.isfinite(value) else None for name, value in figures.items()}
    return finite, int(sums.get("count", 0))


def _add(sums: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        value = value.double() if isinstance(value, Tensor) else value
        sums[name] = sums[name] + value if name in sums else value
