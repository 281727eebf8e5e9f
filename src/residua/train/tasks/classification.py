"""Image classification: cross-entropy, judged by accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residua.data import AnyData
from residua.errors import UsageError
from residua.parts import register
from residua.runs.plan import Plan
from residua.spec import Metric, Recipe, TaskSpec, fraction
from residua.train.supervised import Sums, Supervised

Batch = Sequence[Any]  # images (N, C, H, W), labels (N,) or shares (N, classes), and what else the data add


@register
@dataclass(frozen=True, kw_only=True)
class Classification(TaskSpec):
    """One class of several. ``label_smoothing`` is of the training alone."""

    kind: ClassVar[str] = "classification"
    primary: ClassVar[Metric] = Metric("accuracy", "max", ".2%")
    answers: ClassVar[Literal["classes", "numbers", "nothing"]] = "classes"

    label_smoothing: float = 0.0

    def validate(self) -> None:  # noqa: D102
        fraction(self, "label_smoothing")

    def make(self, network: nn.Module, recipe: Recipe, plan: Plan, data: AnyData) -> Supervised:
        """Raises UsageError for data without classes."""
        if not data.about().get("classes"):
            raise UsageError(f"{data.spec.source} has no classes to tell apart")
        return Supervised(
            network,
            recipe,
            plan,
            primary=self.primary,
            loss=partial(self._loss, network),
            evaluate=partial(_evaluate, network),
        )

    def _loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Sums]:
        images, labels = batch[:2]
        logits = network(images).float()
        loss = F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        return loss, _sums(logits.detach(), labels, loss.detach() * labels.shape[0])


def _evaluate(network: nn.Module, batch: Batch) -> Sums:
    """Without label smoothing; the loss in float64, as ``evaluate``'s."""
    images, labels = batch[:2]
    logits = network(images).float()
    return _sums(logits, labels, F.cross_entropy(logits.double(), labels, reduction="sum"))


def _sums(logits: Tensor, labels: Tensor, loss: Tensor) -> Sums:
    predicted = logits.argmax(1)
    # of mixed labels (N, classes), the share of the class that is predicted (Zhang et al. 2018, arXiv 1710.09412)
    correct = (predicted == labels).sum() if labels.ndim == 1 else labels.gather(1, predicted[:, None]).sum()
    return {"loss": loss, "accuracy": correct, "count": torch.tensor(labels.shape[0])}
