"""Image classification as a Task."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residua.data import Source
from residua.nn.residual import recomputing
from residua.runs.plan import Plan
from residua.spec import Recipe
from residua.train.compile import compiled
from residua.train.optimizer import make_optimizer, take_step
from residua.train.task import Metric

Batch = Sequence[
    Any
]  # images (N, C, H, W), labels (N,) or shares of the classes (N, classes), what else the data adds


class Classification:
    """Cross-entropy. The model itself stays eager and unwrapped: only the step is compiled."""

    primary = Metric("accuracy", "max")

    def __init__(self, model: nn.Module, recipe: Recipe, plan: Plan, data: Source | None = None) -> None:
        self.model = model
        self.recipe = recipe
        self.plan = plan
        self.networks = {"model": model}
        self.optimizers = {"model": make_optimizer(model, recipe)}
        self._loss = compiled(self._eager_loss, model, plan.compile)

    def step(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """One step on the mean cross-entropy of the batch."""
        self.model.train()
        with ExitStack() as stack:
            stack.enter_context(self._autocast())
            stack.enter_context(recomputing(self.model, self.recipe.recompute))
            loss, sums = self._loss(*batch[:2])
            loss.backward()
        take_step(self.optimizers["model"], self.recipe)
        return sums

    @torch.no_grad()
    def evaluate(self, batch: Batch) -> dict[str, Tensor]:
        """Sums over the batch, in evaluation mode, without label smoothing; the loss in float64, as ``evaluate``'s."""
        self.model.eval()
        images, labels = batch[:2]
        with self._autocast():
            logits = self.model(images).float()
        return _sums(logits, labels, F.cross_entropy(logits.double(), labels, reduction="sum"))

    def _eager_loss(self, images: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        logits = self.model(images).float()
        loss = F.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)
        return loss, _sums(logits.detach(), labels, loss.detach() * labels.shape[0])

    def _autocast(self) -> AbstractContextManager[Any]:
        enabled = self.plan.precision == "bfloat16"
        return torch.autocast(torch.device(self.plan.device).type, torch.bfloat16, enabled=enabled)


def _sums(logits: Tensor, labels: Tensor, loss: Tensor) -> dict[str, Tensor]:
    predicted = logits.argmax(1)
    # of mixed labels (N, classes), the share of the class that is predicted (Zhang et al. 2018, arXiv 1710.09412)
    correct = (predicted == labels).sum() if labels.ndim == 1 else labels.gather(1, predicted[:, None]).sum()
    return {"loss": loss, "accuracy": correct, "count": torch.tensor(labels.shape[0])}
