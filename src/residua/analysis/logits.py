"""What a classifier answers, and how often it is wrong."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from residua.errors import UsageError

_BATCH = 256


@torch.no_grad()
def logits_of(model: nn.Module, images: Tensor) -> Tensor:
    """``logits`` of many images, some at a time and without a graph."""
    return torch.cat([logits(model, some) for some in images.split(_BATCH)])


def error_rate(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of ``images`` ``(N, ...)`` whose highest logit is not that of ``labels`` ``(N,)``; NaN counts as wrong.

    The model is used in the mode that it is in. Raises UsageError if it does not give logits ``(N, classes)``.
    """
    given = logits_of(model, images)
    right = (given.argmax(1) == labels) & ~given.isnan().any(1)
    return (len(labels) - int(right.sum())) / len(labels)


def logits(model: nn.Module, images: Tensor) -> Tensor:
    """What a classifier says, ``(N, classes)``. Raises UsageError for a network that says something else."""
    given = model(images)
    if not isinstance(given, Tensor) or given.ndim != 2 or len(given) != len(images):
        raise UsageError(f"{type(model).__name__} gives no logits (N, classes): it is no classifier")
    return given


def check_labels(images: Tensor, labels: Tensor) -> None:
    """Raise UsageError unless every image has a label, and there are images."""
    if len(images) != len(labels) or not len(labels) or int(labels.min()) < 0:
        raise UsageError(
            f"every image needs a class: {len(images)} images, {int((labels >= 0).sum())} classes"
        )
