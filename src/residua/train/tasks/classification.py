"""Image classification: cross-entropy, judged by accuracy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from residua.errors import UsageError
from residua.parts import register
from residua.spec import Metric, Recipe, TaskSpec, fraction

if TYPE_CHECKING:
    from residua.train.supervised import Supervised


@register
@dataclass(frozen=True, kw_only=True)
class Classification(TaskSpec):
    """One class of several. ``label_smoothing`` and ``balance`` are of the training alone.

    Recipes name it: so its arithmetic, and with it torch, stands in ``train/tasks/cross_entropy.py``.
    """

    kind: ClassVar[str] = "classification"
    primary: ClassVar[Metric] = Metric("accuracy", "max", ".2%")
    answers: ClassVar[Literal["classes", "numbers", "nothing"]] = "classes"

    label_smoothing: float = 0.0
    # weights of the classes in the loss: the inverse of their number of training images, to this power
    balance: float = 0.0

    def validate(self) -> None:  # noqa: D102
        fraction(self, "label_smoothing")
        if not 0 <= self.balance <= 1:
            raise UsageError(f"{self.title()}.balance must be in [0, 1], not {self.balance}")

    def chance(self, data: Any) -> float:
        """The entropy of a guess, in nats."""
        return math.log(max(len(data.about()["classes"]), 2))

    def make(self, network: Any, recipe: Recipe, plan: Any, data: Any) -> Supervised:
        """Raises UsageError for data without classes."""
        from residua.train.tasks.cross_entropy import class_weights, learner

        if not data.about().get("classes"):
            raise UsageError(f"{data.spec.source} has no classes to tell apart")
        return learner(
            network,
            recipe,
            plan,
            primary=self.primary,
            weights=class_weights(data, self.balance, plan.device),
            label_smoothing=self.label_smoothing,
        )
