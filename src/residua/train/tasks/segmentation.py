"""Segmentation as a Task: a class for every pixel."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residua.data import Source
from residua.data.annotated import Annotated
from residua.errors import UsageError
from residua.nn.residual import recomputing
from residua.runs.plan import Plan
from residua.spec import Recipe
from residua.train.optimizer import make_optimizer, take_step
from residua.train.task import Metric


class Segmentation:
    """Cross-entropy of every pixel. Batches have ``images`` and ``masks`` (N, H, W), of any kind of whole numbers."""

    primary = Metric("mean_iou", "max")

    def __init__(self, model: nn.Module, recipe: Recipe, plan: Plan, data: Source) -> None:
        self.spec: Any = model.spec
        if not isinstance(data, Annotated) or data.target != "masks":
            raise UsageError(
                f"{self.spec.name} learns from masks; {data.spec.source} has none: scenes:masks does"
            )
        self.model, self.recipe, self.plan = model, recipe, plan
        self.networks = {"model": model}
        self.optimizers = {"model": make_optimizer(model, recipe)}

    def step(self, batch: Any, progress: float) -> dict[str, Tensor]:
        """One step on the mean cross-entropy of all pixels."""
        self.model.train()
        with recomputing(self.model, self.recipe.recompute):
            logits = self._logits(batch.images)
        masks = batch.masks.long()
        loss = F.cross_entropy(logits, masks, label_smoothing=self.recipe.label_smoothing)
        loss.backward()
        take_step(self.optimizers["model"], self.recipe)
        return _sums(loss.detach(), logits.detach(), masks)

    @torch.no_grad()
    def evaluate(self, batch: Any) -> dict[str, Tensor]:
        """Sums over the batch, the confusion matrix among them."""
        self.model.eval()
        logits, masks = self._logits(batch.images), batch.masks.long()
        sums = _sums(F.cross_entropy(logits, masks), logits, masks)
        return {**sums, "confusion": confusion(logits.argmax(1), masks, self.spec.num_classes)}

    def metrics(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        """Loss, accuracy of the pixels, and mean IoU over all pixels of all images."""
        means = {name: float(sums[name] / sums["count"]) for name in ("loss", "pixel_accuracy")}
        return {**means, "mean_iou": mean_iou(sums["confusion"])}

    def _logits(self, images: Tensor) -> Tensor:
        enabled = self.plan.precision == "bfloat16"
        context: AbstractContextManager[Any] = torch.autocast(
            torch.device(self.plan.device).type, torch.bfloat16, enabled=enabled
        )
        with context:
            return self.model(images).float()


def confusion(predicted: Tensor, true: Tensor, classes: int) -> Tensor:
    """How many pixels of each true class (rows) are taken for each class (columns): int64 ``(classes, classes)``."""
    pairs = true.flatten() * classes + predicted.flatten()
    return torch.bincount(pairs, minlength=classes**2).view(classes, classes)


def mean_iou(matrix: Tensor) -> float:
    """Intersection over union of each class, mean over the classes that occur or are predicted."""
    both = matrix.diagonal().double()
    either = matrix.sum(0) + matrix.sum(1) - both
    return float((both / either)[either > 0].mean())


def _sums(loss: Tensor, logits: Tensor, masks: Tensor) -> dict[str, Tensor]:
    count = len(masks)
    right = (logits.argmax(1) == masks).double().mean()
    return {"loss": loss * count, "pixel_accuracy": right * count, "count": torch.tensor(count)}
