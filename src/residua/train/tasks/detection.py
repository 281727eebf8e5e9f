"""Detection as a Task: an anchor-free detector learns from boxes (Tian et al. 2019, sec. 3)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from residua.data import Source
from residua.data.annotated import Annotated
from residua.errors import UsageError
from residua.nn.anchor_free import Detector, detections
from residua.nn.boxes import area, generalized_iou
from residua.nn.residual import recomputing
from residua.runs.plan import Plan
from residua.spec import Recipe
from residua.train.optimizer import make_optimizer, take_step
from residua.train.task import Metric
from residua.train.tasks.average_precision import Matches, average_precision, match

_RADIUS = 1.5  # strides around a box's centre within which locations learn it (the paper's centre sampling)
_ALPHA, _GAMMA = 0.25, 2.0  # of the focal loss (Lin et al. 2017b, sec. 5.1)


class Detection:
    """Focal loss for the class, generalised IoU for the box, cross-entropy for its centre-ness.

    Batches have ``images``, ``boxes`` (N, M, 4) and ``labels`` (N, M), -1 where there is no box.
    """

    primary = Metric("average_precision", "max")

    def __init__(self, model: Detector, recipe: Recipe, plan: Plan, data: Source) -> None:
        if not isinstance(data, Annotated) or data.target != "boxes":
            raise UsageError(
                f"{model.spec.name} learns from boxes; {data.spec.source} has none: scenes:boxes does"
            )
        self.model, self.recipe, self.plan = model, recipe, plan
        self.networks = {"model": model}
        self.optimizers = {"model": make_optimizer(model, recipe)}
        self._matches: list[Matches] = []  # of the evaluation under way

    def step(self, batch: Any, progress: float) -> dict[str, Tensor]:
        """One step on the loss of the batch."""
        self.model.train()
        with self._autocast(), recomputing(self.model, self.recipe.recompute):
            rows = self.model(batch.images)
        loss = self._loss(rows, batch)
        loss.backward()
        take_step(self.optimizers["model"], self.recipe)
        return _sums(loss.detach(), batch)

    @torch.no_grad()
    def evaluate(self, batch: Any) -> dict[str, Tensor]:
        """The loss over the batch; its detections are kept for ``metrics``."""
        self.model.eval()
        with self._autocast():
            rows = self.model(batch.images)
        found = detections(rows, batch.images.shape[2:])
        for boxes, scores, labels, true_boxes, true_labels in zip(
            *(part.cpu() for part in (*found, batch.boxes, batch.labels)), strict=True
        ):
            sure, there = scores > 0, true_labels >= 0
            self._matches.append(
                match(
                    boxes[sure],
                    scores[sure],
                    labels[sure],
                    true_boxes[there],
                    true_labels[there],
                    self.model.spec.num_classes,
                )
            )
        return _sums(self._loss(rows, batch), batch)

    def metrics(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        """COCO's AP@[.5:.95] and AP50 over the images that were evaluated since the last call, and the loss."""
        precision = average_precision(self._matches)
        self._matches = []
        return {
            "loss": float(sums["loss"] / sums["count"]),
            "average_precision": float(precision.mean()),
            "average_precision_50": float(precision[0]),
        }

    def _loss(self, rows: Tensor, batch: Any) -> Tensor:
        logits, boxes, centerness = rows.split((rows.shape[2] - 5, 4, 1), 2)
        labels, true_boxes = self._targets(batch)
        found = labels >= 0  # (N, L)
        one_hot = F.one_hot(labels.clamp(min=0), logits.shape[2]) * found[..., None]
        # every location learns its class; box and centre-ness are learned where there is one
        points, _ = self.model.locations(batch.images)
        weight = centerness_of(points.expand(*found.shape, 2)[found], true_boxes[found])
        overlap = generalized_iou(boxes[found], true_boxes[found])
        count, total = found.sum().clamp(min=1), weight.sum().clamp(min=1e-6)
        return (
            focal(logits, one_hot.float()).sum() / count
            + ((1 - overlap) * weight).sum() / total
            + F.binary_cross_entropy_with_logits(centerness[..., 0][found], weight, reduction="sum") / count
        )

    def _targets(self, batch: Any) -> tuple[Tensor, Tensor]:
        points, strides = self.model.locations(batch.images)
        reach = self.model.spec.reach
        return assign(points, strides, batch.boxes, batch.labels, reach)

    def _autocast(self) -> AbstractContextManager[Any]:
        enabled = self.plan.precision == "bfloat16"
        return torch.autocast(torch.device(self.plan.device).type, torch.bfloat16, enabled=enabled)


def assign(
    points: Tensor, strides: Tensor, boxes: Tensor, labels: Tensor, reach: float
) -> tuple[Tensor, Tensor]:
    """What each location learns: a class, -1 for the background, and a box (sec. 3.1 and 3.2).

    A location learns a box that it lies in, near its centre, and whose farthest side is within its level's reach;
    the finest level learns all that is nearer, the coarsest all that is farther. Of several boxes the smallest.

    Shapes: points ``(L, 2)``, strides ``(L,)``, boxes ``(N, M, 4)``, labels ``(N, M)`` (-1: no box) to labels
    ``(N, L)`` and boxes ``(N, L, 4)``.
    """
    if not labels.shape[1]:  # no picture has a box
        return labels.new_full((len(labels), len(points)), -1), boxes.new_zeros(len(labels), len(points), 4)
    boxes = boxes[:, None]  # (N, 1, M, 4)
    sides = torch.cat(
        (points[:, None] - boxes[..., :2], boxes[..., 2:] - points[:, None]), -1
    )  # (N, L, M, 4)
    centers = (boxes[..., :2] + boxes[..., 2:]) / 2
    near = (points[:, None] - centers).abs().amax(-1) < _RADIUS * strides[:, None]
    farthest = sides.amax(-1)
    levels = strides.unique()
    ends = torch.cat((levels.new_zeros(1), reach * levels[:-1], levels.new_full((1,), torch.inf)))
    level = torch.searchsorted(levels, strides)[:, None]
    low, high = ends[level], ends[level + 1]
    fits = (sides.amin(-1) > 0) & near & (farthest > low) & (farthest <= high) & (labels[:, None] >= 0)
    size = torch.where(fits, area(boxes).expand_as(fits), torch.inf)
    least, which = size.min(-1)  # (N, L)
    return (
        torch.where(least < torch.inf, labels.gather(1, which), -1),
        boxes[:, 0].gather(1, which[..., None].expand(-1, -1, 4)),
    )


def centerness_of(points: Tensor, boxes: Tensor) -> Tensor:
    """1 in the middle of a box, 0 at its sides (eq. 3): ``(P, 2)`` and ``(P, 4)`` to ``(P,)``."""
    before, after = points - boxes[:, :2], boxes[:, 2:] - points
    ratio = torch.minimum(before, after) / torch.maximum(before, after).clamp(min=1e-6)
    return ratio.clamp(min=0).prod(1).sqrt()


def focal(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy that spares what is easy (Lin et al. 2017b, eq. 5), elementwise; targets are 0 or 1."""
    plain = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    missed = torch.sigmoid(logits * (1 - 2 * targets))  # 1 minus the probability of what is right
    return torch.where(targets > 0, _ALPHA, 1 - _ALPHA) * missed**_GAMMA * plain


def _sums(loss: Tensor, batch: Any) -> dict[str, Tensor]:
    count = len(batch.images)
    return {"loss": loss * count, "count": torch.tensor(count)}
