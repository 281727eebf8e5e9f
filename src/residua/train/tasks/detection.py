"""Detection: an anchor-free detector learns from boxes (Tian et al. 2019, sec. 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from residua.data import AnyData
from residua.data.annotated import Annotated
from residua.errors import UsageError
from residua.nn.anchor_free import Detector, detections
from residua.nn.boxes import area, generalized_iou
from residua.parts import register
from residua.runs.plan import Plan
from residua.spec import Metric, Recipe, TaskSpec
from residua.train.supervised import Sums, Supervised
from residua.train.tasks.average_precision import Matches, average_precision, match

_RADIUS = 1.5  # strides around a box's centre within which locations learn it (the paper's centre sampling)
_ALPHA, _GAMMA = 0.25, 2.0  # of the focal loss (Lin et al. 2017b, sec. 5.1)


@register
@dataclass(frozen=True, kw_only=True)
class Detection(TaskSpec):
    """Focal loss for the class, generalised IoU for the box, cross-entropy for its centre-ness.

    Batches have ``images``, ``boxes`` (N, M, 4) and ``labels`` (N, M), -1 where there is no box.
    """

    kind: ClassVar[str] = "detection"
    primary: ClassVar[Metric] = Metric("average_precision", "max")

    def make(self, network: Detector, recipe: Recipe, plan: Plan, data: AnyData) -> Supervised:
        """Raises UsageError for data without boxes."""
        if not isinstance(data, Annotated) or data.target != "boxes":
            raise UsageError(
                f"{network.spec.name} learns from boxes; {data.spec.source} has none: scenes:boxes does"
            )
        return Supervised(
            network,
            recipe,
            plan,
            primary=self.primary,
            loss=partial(_loss, network),
            evaluate=partial(_evaluate, network),
            metrics=_metrics,
            compiles=False,  # of every batch another number of boxes
            divides=False,  # its parts are divided by counts of locations of the whole batch
        )


def _loss(network: Detector, batch: Any) -> tuple[Tensor, Sums]:
    loss = loss_of(network, network(batch.images), batch)
    return loss, _sums(loss.detach(), batch)


def _evaluate(network: Detector, batch: Any) -> Sums:
    """The loss over the batch, and what became of its detections."""
    rows = network(batch.images)
    found = detections(rows, batch.images.shape[2:])
    matches: list[Matches] = []
    for boxes, scores, labels, true_boxes, true_labels in zip(
        *(part.cpu() for part in (*found, batch.boxes, batch.labels)), strict=True
    ):
        sure, there = scores > 0, true_labels >= 0
        matches.append(
            match(
                boxes[sure],
                scores[sure],
                labels[sure],
                true_boxes[there],
                true_labels[there],
                network.spec.num_classes,
            )
        )
    return {**_sums(loss_of(network, rows, batch), batch), "matches": matches}


def _sums(loss: Tensor, batch: Any) -> Sums:
    count = len(batch.images)
    return {"loss": loss * count, "count": torch.tensor(count)}


def _metrics(sums: Mapping[str, Any]) -> dict[str, float]:
    """COCO's AP@[.5:.95] and AP50 over the images, and the loss."""
    precision = average_precision(sums["matches"])
    return {
        "loss": float(sums["loss"] / sums["count"]),
        "average_precision": float(precision.mean()),
        "average_precision_50": float(precision[0]),
    }


def loss_of(network: Detector, rows: Tensor, batch: Any) -> Tensor:
    """The loss of raw predictions ``rows`` (N, L, classes + 5)."""
    logits, boxes, centerness = rows.split((rows.shape[2] - 5, 4, 1), 2)
    labels, true_boxes = targets_of(network, batch)
    found = labels >= 0  # (N, L)
    one_hot = F.one_hot(labels.clamp(min=0), logits.shape[2]) * found[..., None]
    # every location learns its class; box and centre-ness are learned where there is one
    points, _ = network.locations(batch.images)
    weight = centerness_of(points.expand(*found.shape, 2)[found], true_boxes[found])
    overlap = generalized_iou(boxes[found], true_boxes[found])
    count, total = found.sum().clamp(min=1), weight.sum().clamp(min=1e-6)
    return (
        focal(logits, one_hot.float()).sum() / count
        + ((1 - overlap) * weight).sum() / total
        + F.binary_cross_entropy_with_logits(centerness[..., 0][found], weight, reduction="sum") / count
    )


def targets_of(network: Detector, batch: Any) -> tuple[Tensor, Tensor]:
    """What each location of a batch's images learns, as ``assign`` says."""
    points, strides = network.locations(batch.images)
    return assign(points, strides, batch.boxes, batch.labels, network.spec.reach)


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
