"""Cross-entropy of classes: what a classifier descends, and the figures that it is judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residua.data import AnyData, Data
from residua.errors import UsageError
from residua.runs.plan import Plan
from residua.spec import Metric, Recipe
from residua.train.supervised import Sums, Supervised, means

# of the largest class's images a class counts at least this part, so that no image outweighs a batch
_RAREST = 20
Batch = Sequence[Any]  # images (N, C, H, W), labels (N,) or shares (N, classes), and what else the data add


def learner(
    network: nn.Module,
    recipe: Recipe,
    plan: Plan,
    *,
    primary: Metric,
    weights: Tensor | None,
    label_smoothing: float,
) -> Supervised:
    """The task of a classifier; ``weights`` of each class in the loss, float32 (classes,)."""
    return Supervised(
        network,
        recipe,
        plan,
        primary=primary,
        loss=partial(_loss, network, weights, label_smoothing),
        evaluate=partial(_evaluate, network),
        metrics=_figures,
    )


def class_weights(data: AnyData, balance: float, device: str) -> Tensor | None:
    """Of each class, with a mean of 1 over the training images: float32 (classes,). None without ``balance``.

    Raises UsageError for data that do not say how many images of each class they have.
    """
    if not balance:
        return None
    if not isinstance(data, Data):
        raise UsageError(f"{data.spec.source} does not say how many images of each class it has")
    counts = np.bincount(data.train.labels, minlength=len(data.classes)).clip(min=1)
    inverse = counts.mean() / counts.clip(min=counts.max() / _RAREST)
    weights = inverse**balance
    weights *= counts.sum() / (weights * counts).sum()
    return torch.from_numpy(weights.astype(np.float32)).to(device)


def _loss(
    network: nn.Module, weights: Tensor | None, label_smoothing: float, batch: Batch
) -> tuple[Tensor, Sums]:
    images, labels = batch[:2]
    logits = network(images).float()
    loss = F.cross_entropy(logits, labels, weights, label_smoothing=label_smoothing)
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
