"""Parts of a recipe (optimiser, schedule, task ...): what is asked of them. Each kind is a file of a room."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

from residua.spec.base import PartSpec


@dataclass(frozen=True, kw_only=True)
class Optimizer(PartSpec):
    """What turns gradients into steps (residua.train.optimizers)."""

    slot: ClassVar[str] = "optimizer"
    decays_norms: ClassVar[bool] = True  # whether weight decay is for norms and biases (1-d parameters) too

    @abstractmethod
    def build(self, groups: list[dict[str, Any]], lr: float) -> Any:
        """The ``torch.optim.Optimizer`` of some groups of parameters."""


@dataclass(frozen=True, kw_only=True)
class Schedule(PartSpec):
    """How the learning rate goes (residua.train.schedules): a pure function, so that a resumed run follows it too."""

    slot: ClassVar[str] = "schedule"

    @abstractmethod
    def factor(self, progress: float, after_warmup: float) -> float:
        """What the rate is multiplied by at ``progress`` of the whole training, ``after_warmup`` of what follows it."""


@dataclass(frozen=True, kw_only=True)
class Averaging(PartSpec):
    """Which mean of the weights that a training passes through is evaluated and kept (residua.train.averaging).

    Pure functions of the step, so that a resumed run has the same mean.
    """

    slot: ClassVar[str] = "averaging"
    goes_on: ClassVar[bool] = (
        False  # whether the training goes on from the mean whenever weights have entered it
    )

    def first(self, total_steps: int, epoch_steps: int) -> int:
        """The step from which on there is a mean; before it the weights themselves are evaluated and kept."""
        return 0

    @abstractmethod
    def share(self, step: int, total_steps: int, epoch_steps: int) -> float:
        """The share in the mean of the weights after ``step`` steps: 0 leaves it as it is, 1 begins it with them."""

    def recounted(self) -> int:
        """From how many training batches batch norms count anew for the mean; 0: their statistics are averaged too."""
        return 0


@dataclass(frozen=True, kw_only=True)
class Finetuning(PartSpec):
    """What of a network that starts from trained weights learns when, and how fast (residua.train.finetuning).

    Pure functions, so that a resumed run holds the same still.
    """

    slot: ClassVar[str] = "finetuning"

    @abstractmethod
    def frozen(self, progress: float) -> bool:
        """Whether the head alone learns at ``progress`` in [0, 1] of the training."""

    @abstractmethod
    def scheduled(self, progress: float) -> float:
        """The progress that the schedule of the rate sees instead."""

    @abstractmethod
    def rate(self, depth: float) -> float:
        """The share of the rate for what stands at ``depth``, from 0, the stem, to 1, the head."""


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

    def chance(self, data: Any) -> float | None:
        """The training loss of a network that knows nothing of ``data``; None where that is not known."""
        return None

    @abstractmethod
    def make(self, network: Any, recipe: Any, plan: Any, data: Any) -> Any:
        """The ``residua.train.task.Task`` that trains a network. Raises UsageError for data that do not suit it."""


class Tracking(Protocol):
    """A run as a tracker follows it."""

    def epoch(self, line: Mapping[str, Any]) -> None:
        """Take the line that metrics.jsonl got."""
        ...

    def close(self, result: Mapping[str, Any] | None) -> None:
        """The sitting has ended; ``result`` is that of the run, None if it is not complete."""
        ...


@dataclass(frozen=True, kw_only=True)
class Tracker(PartSpec):
    """Where the figures of a run go beside its own files (residua.train.trackers)."""

    slot: ClassVar[str] = "tracker"
    package: ClassVar[str]  # the module that must be installed

    @abstractmethod
    def follow(self, run: Any, step: int) -> Tracking:
        """Begin with a ``residua.runs.folder.RunFolder``, or go on with it from ``step``. What it raises is said."""


@dataclass(frozen=True, kw_only=True)
class Augmentation(PartSpec):
    """What becomes of the images of a training batch, and of their labels; ``build`` makes it for the data."""

    slot: ClassVar[str] = "augmentation"
    normalized: ClassVar[bool] = False  # whether it takes normalised images instead of pixels
    blends_classes: ClassVar[bool] = False  # whether its targets are shares of classes

    @abstractmethod
    def build(self, data: Any) -> Any:
        """A function of (images, targets, key) that gives images and targets, for ``residua.data.Data``.

        Images are (B, C, H, W) or (B, C, D, H, W), uint8 or, if ``normalized``, float32. Targets are classes, int64
        (B,), or the share of each class, float32 (B, classes). ``key``, a ``residua.data.batches.keyed.BatchKey``, has
        seed, epoch, step and which images they are: nothing else may decide what it gives. Made anew for every epoch.
        Raises UsageError for data that it has no meaning for.
        """


@dataclass(frozen=True, kw_only=True)
class Resolution(PartSpec):
    """How large training images are in the course of a training (residua.data.resolution): a pure function of it."""

    slot: ClassVar[str] = "resolution"

    @abstractmethod
    def side(self, progress: float, full: int) -> int:
        """Pixels at ``progress`` in [0, 1] of a side that has ``full`` of them in an evaluation."""

    @abstractmethod
    def build(self, data: Any, total_steps: int) -> Any:
        """A function of (images, key) that gives images: normalised ones (B, C, ..., H, W), and ``key`` as above."""
