"""How a network is trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from residua.errors import UsageError
from residua.spec.base import SCHEMA, PartSpec, Spec, positive


@dataclass(frozen=True, kw_only=True)
class Augmentation(PartSpec):
    """What becomes of the images of a training batch, and of their labels; ``build`` makes it for the data."""

    slot: ClassVar[str] = "augmentation"
    normalized: ClassVar[bool] = False  # whether it takes normalised images instead of pixels

    def build(self, data: Any) -> Any:
        """A function of (images, targets, seed, step) that gives images and targets, for ``residua.data.Data``.

        Images are (B, C, H, W) or (B, C, D, H, W), uint8 or, if ``normalized``, float32. Targets are classes, int64
        (B,), or the share of each class, float32 (B, classes). Nothing else may decide what it gives.
        """
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Recipe(Spec):
    """How a network is trained. Moments of the schedule are fractions of the whole training, in [0, 1]."""

    table: ClassVar[str] = "recipe"

    schema: int = SCHEMA
    name: str = "custom"
    epochs: int = 20
    iterations: int | None = None  # trains exactly this many steps instead of whole epochs
    batch_size: int = 128
    optimizer: Literal["sgd", "adamw"] = "sgd"
    lr: float = 0.1
    momentum: float = 0.9  # of AdamW: the decay of the first moment, beta 1
    beta2: float = 0.999  # of AdamW: the decay of the second moment
    nesterov: bool = False  # of SGD
    weight_decay: float = 1e-4
    # of norms and biases (1-d parameters). None: the optimiser's habit: He et al. decay everything with SGD, AdamW
    # decays matrices only
    decay_norm: bool | None = None
    clip_norm: float | None = None  # gradients longer than this (all parameters together) are shortened to it
    schedule: Literal["constant", "step", "cosine", "linear"] = "step"
    milestones: tuple[float, ...] = ()  # of "step", as progress in [0, 1]
    gamma: float = 0.1  # of "step": the factor at each milestone
    warmup: float = 0.0  # progress at which warm-up ends
    warmup_factor: float = 0.0  # learning rate at the start of warm-up, as a factor of lr
    warmup_shape: Literal["linear", "constant"] = "linear"
    label_smoothing: float = 0.0
    # what becomes of training images, in this order; crops and mirror images by the data's own habit
    augmentation: tuple[Augmentation, ...] = field(
        default_factory=lambda: (Augmentation.called("crop_flip")(),)
    )
    recompute: bool = False  # recompute units in the backward pass: memory for time
    log_every: int = 50  # steps between the step lines of metrics.jsonl

    def validate(self) -> None:  # noqa: D102
        positive(self, "epochs", "batch_size", "lr", "log_every")
        if self.iterations is not None:
            positive(self, "iterations")
        for name in ("warmup", "warmup_factor", "label_smoothing", "momentum"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"Recipe.{name} must be in [0, 1], not {getattr(self, name)}")
        if self.weight_decay < 0:
            raise UsageError("Recipe.weight_decay cannot be negative")
        if self.clip_norm is not None:
            positive(self, "clip_norm")
        if self.optimizer == "adamw" and (self.nesterov or self.momentum == 1 or not 0 <= self.beta2 < 1):
            raise UsageError("Recipe.optimizer 'adamw' needs momentum and beta2 in [0, 1), and no nesterov")
        if list(self.milestones) != sorted(self.milestones) or any(not 0 <= m <= 1 for m in self.milestones):
            raise UsageError(f"Recipe.milestones must rise within [0, 1], not {list(self.milestones)}")
        if self.nesterov and not self.momentum:
            raise UsageError("Recipe.nesterov needs a momentum above 0")
