"""Image classification: cross-entropy, judged by accuracy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residua.data import AnyData, Data
from residua.errors import UsageError
from residua.parts import register
from residua.runs.plan import Plan
from residua.spec import Metric, Recipe, TaskSpec, fraction
from residua.train.supervised import Sums, Supervised, means

_RAREST = (
    20  # of the largest class's images a class counts at least this part, so that no image outweighs a batch
)
Batch = Sequence[Any]  # images (N, C, H, W), labels (N,) or shares (N, classes), and what else the data add


@register
@dataclass(frozen=True, kw_only=True)
class Classification(TaskSpec):
    """One class of several. ``label_smoothing`` and ``balance`` are of the training alone."""

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

    def chance(self, data: AnyData) -> float:
        """The entropy of a guess, in nats."""
        return math.log(max(len(data.about()["classes"]), 2))

    def make(self, network: nn.Module, recipe: Recipe, plan: Plan, data: AnyData) -> Supervised:
        """Raises UsageError for data without classes."""
        if not data.about().get("classes"):
            raise UsageError(f"{data.spec.source} has no classes to tell apart")
        return Supervised(
            network,
            recipe,
            plan,
            primary=self.primary,
            loss=partial(self._loss, network, self._weights(data, plan)),
            evaluate=partial(_evaluate, network),
            metrics=_figures,
        )

    def _weights(self, data: AnyData, plan: Plan) -> Tensor | None:
        """Of each class, with a mean of 1 over the training images: float32 (classes,)."""
        if not self.balance:
            return None
        if not isinstance(data, Data):
            raise UsageError(f"{data.spec.source} does not say how many images of each class it has")
        counts = np.bincount(data.train.labels, minlength=len(data.classes)).clip(min=1)
        inverse = counts.mean() / counts.clip(min=counts.max() / _RAREST)
        weights = inverse**self.balance
        weights *= counts.sum() / (weights * counts).sum()
        return torch.from_numpy(weights.astype(np.float32)).to(plan.device)

    def _loss(self, network: nn.Module, weights: Tensor | None, batch: Batch) -> tuple[Tensor, Sums]:
        images, labels = batch[:2]
        logits = network(images).float()
        loss = F.cross_entropy(logits, labels, weights, label_smoothing=self.label_smoothing)
        sums = _sums(logits.detach(), labels, loss.detach() * labels.shape[0])
        if weights is not None and labels.ndim == 1:
            sums["weight"] = weights[labels].sum()  # what the loss is divided by
        return loss, sums


def _evaluate(network: nn.Module, batch: Batch) -> Sums:
    """Without label smoothing and weights; the loss in float64, as ``evaluate``'s."""
    images, labels = batch[:2]
    logits = network(images).float()
    sums = _sums(logits, labels, F.cross_entropy(logits.double(), labels, reduction="sum"))
    classes = logits.shape[1]
    right = labels[logits.argmax(1) == labels]
    counted = {"seen": labels.bincount(minlength=classes), "right": right.bincount(minlength=classes)}
    return {**sums, **counted}


def _figures(sums: Mapping[str, Tensor]) -> dict[str, float]:
    """Means over the images, and the mean over the classes of the share that is right of each."""
    seen, right = sums["seen"], sums["right"]
    shares = right[seen > 0] / seen[seen > 0]
    rest = {name: value for name, value in sums.items() if name not in ("seen", "right")}
    return {**means(rest), "balanced_accuracy": float(shares.mean())}


def _sums(logits: Tensor, labels: Tensor, loss: Tensor) -> Sums:
    predicted = logits.argmax(1)
    # of mixed labels (N, classes), the share of the class that is predicted (Zhang et al. 2018, arXiv 1710.09412)
    correct = (predicted == labels).sum() if labels.ndim == 1 else labels.gather(1, predicted[:, None]).sum()
    return {"loss": loss, "accuracy": correct, "count": torch.tensor(labels.shape[0])}
