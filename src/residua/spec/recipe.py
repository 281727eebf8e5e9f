"""How a network is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

from residua.errors import UsageError
from residua.spec.base import SCHEMA, Spec
from residua.spec.limits import positive
from residua.spec.training import (
    Augmentation,
    Averaging,
    Finetuning,
    Optimizer,
    Resolution,
    Schedule,
    TaskSpec,
)


@dataclass(frozen=True, kw_only=True)
class Recipe(Spec):
    """How a network is trained. Moments of the schedule are fractions of the whole training, in [0, 1]."""

    stored_as: ClassVar[str] = "recipe"

    schema: int = SCHEMA
    name: str = "custom"
    task: TaskSpec | None = None  # None: what the data are for, or the network's family
    epochs: int = 20
    iterations: int | None = None  # trains exactly this many steps instead of whole epochs
    batch_size: int = 128  # samples of a step
    accumulate: int = (
        1  # parts that these are passed through the network in, one after the other: memory for time
    )
    optimizer: Optimizer = field(default_factory=lambda: Optimizer.called("sgd")())
    lr: float = 0.1
    weight_decay: float = 1e-4
    # of norms and biases (1-d parameters). None: the optimiser's habit: He et al. decay everything with SGD, AdamW
    # decays matrices only
    decay_norm: bool | None = None
    # factor of the rate of biases; their decay is divided by it, so that it takes as much of them as without
    bias_lr: float = 1.0
    clip_norm: float | None = None  # gradients longer than this (all parameters together) are shortened to it
    schedule: Schedule = field(default_factory=lambda: Schedule.called("step")())
    warmup: float = 0.0  # progress at which warm-up ends
    warmup_factor: float = 0.0  # learning rate at the start of warm-up, as a factor of lr
    warmup_shape: Literal["linear", "constant"] = "linear"
    # which mean of the weights along the way is evaluated and kept; None: the last ones
    averaging: Averaging | None = None
    # of a network that starts from trained weights: what learns when, and how fast. None: everything, alike
    finetuning: Finetuning | None = None
    # what becomes of training images, in this order; crops and mirror images by the data's own habit
    augmentation: tuple[Augmentation, ...] = field(
        default_factory=lambda: (Augmentation.called("crop_flip")(),)
    )
    resolution: Resolution | None = None  # sizes of training images; None: the full one all the way
    # when the loss is not finite, or far above that of a network that knows nothing, the training goes back to its last
    # good epoch, with rates multiplied by this; None: a loss that is not finite ends it
    backoff: float | None = None
    # epochs without a better value on the validation images after which it stops; the weights that did best there are
    # then the final ones, also if it comes to its end. None: it does not look at them
    patience: int | None = None
    log_every: int = 50  # steps between the step lines of metrics.jsonl

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """As of any spec; ``recompute``, which recipes stated in version 0.1, is the plan's ``memory``."""
        old = isinstance(values, Mapping) and isinstance(values.get("recompute"), bool)
        return super().from_dict({k: v for k, v in values.items() if k != "recompute"} if old else values)

    def validate(self) -> None:  # noqa: D102
        positive(self, "epochs", "batch_size", "accumulate", "lr", "bias_lr", "log_every")
        for name in ("iterations", "clip_norm", "patience"):
            if getattr(self, name) is not None:
                positive(self, name)
        for name in ("warmup", "warmup_factor"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"Recipe.{name} must be in [0, 1], not {getattr(self, name)}")
        if self.backoff is not None and not 0 < self.backoff < 1:
            raise UsageError(f"Recipe.backoff must be between 0 and 1, not {self.backoff}")
        if self.weight_decay < 0:
            raise UsageError("Recipe.weight_decay cannot be negative")

    def lr_factor(self, progress: float) -> float:
        """The factor of the learning rate at ``progress`` in [0, 1] of the training; in fine-tuning, of the head's."""
        if self.finetuning is not None:
            progress = self.finetuning.scheduled(progress)
        if progress < self.warmup:
            if self.warmup_shape == "constant":
                return self.warmup_factor
            return self.warmup_factor + (1 - self.warmup_factor) * progress / self.warmup
        after = (progress - self.warmup) / (1 - self.warmup) if self.warmup < 1 else 1.0
        return self.schedule.factor(progress, after)
