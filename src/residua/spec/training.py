"""The parts of a recipe: what it asks of an optimiser, of a schedule and of a task. Each kind is a file of its room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from residua.spec.base import PartSpec


@dataclass(frozen=True, kw_only=True)
class Optimizer(PartSpec):
    """What turns gradients into steps (residua.train.optimizers)."""

    slot: ClassVar[str] = "optimizer"
    decays_norms: ClassVar[bool] = True  # whether weight decay is for norms and biases (1-d parameters) too

    def build(self, groups: list[dict[str, Any]], lr: float) -> Any:
        """The ``torch.optim.Optimizer`` of some groups of parameters."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Schedule(PartSpec):
    """How the learning rate goes (residua.train.schedules): a pure function, so that a resumed run follows it too."""

    slot: ClassVar[str] = "schedule"

    def factor(self, progress: float, after_warmup: float) -> float:
        """What the rate is multiplied by at ``progress`` of the whole training, ``after_warmup`` of what follows it."""
        raise NotImplementedError


@dataclass(frozen=True)
class Metric:
    """A figure of merit: its name in the task's figures, whether higher is better, and how it is printed."""

    name: str
    direction: Literal["max", "min"]
    format: str = ".4g"

    def better(self, new: float, old: float | None) -> bool:
        """Whether ``new`` beats ``old``; anything beats nothing."""
        if old is None:
            return True
        return new > old if self.direction == "max" else new < old

    def shown(self, value: float | None) -> str:
        """A value of it in words."""
        return "not finite" if value is None else format(value, self.format)


@dataclass(frozen=True, kw_only=True)
class TaskSpec(PartSpec):
    """What is learned (residua.train.tasks), with what other rooms ask of it."""

    slot: ClassVar[str] = "task"
    primary: ClassVar[Metric]  # what its networks are judged by
    networks: ClassVar[str] = ""  # the task of the families that it trains; empty: its own
    samples: ClassVar[str] = "images"  # what its evaluations count
    # what its networks say of one image: a class of several, numbers, or nothing
    answers: ClassVar[Literal["classes", "numbers", "nothing"]] = "nothing"

    def make(self, network: Any, recipe: Any, plan: Any, data: Any) -> Any:
        """The ``residua.train.task.Task`` that trains a network. Raises UsageError for data that do not suit it."""
        raise NotImplementedError
