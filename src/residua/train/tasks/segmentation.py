"""Segmentation: a class for every pixel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residua.data import AnyData
from residua.data.annotated import Annotated
from residua.errors import UsageError
from residua.parts import register
from residua.runs.plan import Plan
from residua.spec import Metric, Recipe, TaskSpec, fraction
from residua.train.supervised import Sums, Supervised


@register
@dataclass(frozen=True, kw_only=True)
class Segmentation(TaskSpec):
    """Cross-entropy of every pixel. Batches have ``images`` and ``masks`` (N, H, W), of any kind of whole numbers."""

    kind: ClassVar[str] = "segmentation"
    primary: ClassVar[Metric] = Metric("mean_iou", "max")

    label_smoothing: float = 0.0

    def validate(self) -> None:  # noqa: D102
        fraction(self, "label_smoothing")

    def make(self, network: Any, recipe: Recipe, plan: Plan, data: AnyData) -> Supervised:
        """Raises UsageError for data without masks."""
        if not isinstance(data, Annotated) or data.target != "masks":
            raise UsageError(
                f"{network.spec.name} learns from masks; {data.spec.source} has none: scenes:masks does"
            )
        return Supervised(
            network,
            recipe,
            plan,
            primary=self.primary,
            loss=partial(self._loss, network),
            evaluate=partial(_evaluate, network),
            metrics=_metrics,
            compiles=False,  # as in version 0.1, whose runs resume bit for bit
        )

    def _loss(self, network: nn.Module, batch: Any) -> tuple[Tensor, Sums]:
        logits, masks = network(batch.images).float(), batch.masks.long()
        loss = F.cross_entropy(logits, masks, label_smoothing=self.label_smoothing)
        return loss, _sums(loss.detach(), logits.detach(), masks)


def _evaluate(network: Any, batch: Any) -> Sums:
    """Sums over the batch, the confusion matrix among them."""
    logits, masks = network(batch.images).float(), batch.masks.long()
    sums = _sums(F.cross_entropy(logits, masks), logits, masks)
    return {**sums, "confusion": confusion(logits.argmax(1), masks, network.spec.num_classes)}


def _sums(loss: Tensor, logits: Tensor, masks: Tensor) -> Sums:
    count = len(masks)
    right = (logits.argmax(1) == masks).double().mean()
    return {"loss": loss * count, "pixel_accuracy": right * count, "count": torch.tensor(count)}


def _metrics(sums: Mapping[str, Tensor]) -> dict[str, float]:
    """Loss, accuracy of the pixels, and mean IoU over all pixels of all images."""
    means = {name: float(sums[name] / sums["count"]) for name in ("loss", "pixel_accuracy")}
    return {**means, "mean_iou": mean_iou(sums["confusion"])}


def confusion(predicted: Tensor, true: Tensor, classes: int) -> Tensor:
    """How many pixels of each true class (rows) are taken for each class (columns): int64 ``(classes, classes)``."""
    pairs = true.flatten() * classes + predicted.flatten()
    return torch.bincount(pairs, minlength=classes**2).view(classes, classes)


def mean_iou(matrix: Tensor) -> float:
    """Intersection over union of each class, mean over the classes that occur or are predicted."""
    both = matrix.diagonal().double()
    either = matrix.sum(0) + matrix.sum(1) - both
    return float((both / either)[either > 0].mean())
