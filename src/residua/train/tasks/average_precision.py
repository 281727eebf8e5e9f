"""Average precision of detections as COCO counts it (Lin et al. 2014; the evaluation of its API), in float64.

Detections of an image and a class take, best score first, the box that they overlap most among those that are left;
AP is the mean of the interpolated precision at 101 levels of recall, then over the classes that occur at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from residua.nn.boxes import pairwise_iou

THRESHOLDS = tuple(0.5 + 0.05 * i for i in range(10))  # of IoU: AP@[.5:.95]
_RECALLS = torch.from_numpy(np.linspace(0, 1, 101))  # COCO's own: some lie one rounding above i / 100


@dataclass(frozen=True)
class Matches:
    """Detections with what became of them, and how many boxes of each class there were to find."""

    scores: Tensor  # float64 (D,)
    labels: Tensor  # int64 (D,)
    hits: Tensor  # bool (D, thresholds)
    truths: Tensor  # int64 (classes,)


def match(
    boxes: Tensor,
    scores: Tensor,
    labels: Tensor,
    true_boxes: Tensor,
    true_labels: Tensor,
    classes: int,
    thresholds: tuple[float, ...] = THRESHOLDS,
) -> Matches:
    """Which detections of one image find a box, at each threshold of IoU.

    Shapes: boxes ``(D, 4)``, scores and labels ``(D,)``, true boxes ``(M, 4)``, true labels ``(M,)``.
    """
    order = scores.argsort(descending=True, stable=True)
    boxes, scores, labels = boxes[order].double(), scores[order].double(), labels[order]
    overlap = pairwise_iou(boxes, true_boxes.double())  # (D, M)
    overlap = overlap.masked_fill(labels[:, None] != true_labels[None], -1)
    least = torch.tensor(thresholds, dtype=torch.float64)
    hits = torch.zeros(len(boxes), len(thresholds), dtype=torch.bool)
    taken = torch.zeros(len(true_boxes), len(thresholds), dtype=torch.bool)
    for i in range(len(boxes) if len(true_boxes) else 0):
        best, which = overlap[i, :, None].masked_fill(taken, -1).max(0)  # (thresholds,)
        hits[i] = best >= least - 1e-10  # COCO's own tolerance
        taken[which, torch.arange(len(thresholds))] |= hits[i]
    return Matches(scores, labels, hits, torch.bincount(true_labels, minlength=classes))


def average_precision(matches: list[Matches]) -> Tensor:
    """AP at each threshold, ``(thresholds,)``, mean over the classes that occur; 0 where nothing is to be found."""
    scores, labels, hits = (
        torch.cat([getattr(m, name) for m in matches]) for name in ("scores", "labels", "hits")
    )
    truths = torch.stack([m.truths for m in matches]).sum(0)
    present = truths.nonzero()[:, 0].tolist()
    of_classes = [_of_class(scores[labels == c], hits[labels == c], int(truths[c])) for c in present]
    return torch.stack(of_classes).mean(0) if of_classes else torch.zeros(hits.shape[1], dtype=torch.float64)


def _of_class(scores: Tensor, hits: Tensor, truths: int) -> Tensor:
    """AP of one class at each threshold, from its detections in all images."""
    found = hits[scores.argsort(descending=True, stable=True)].double().cumsum(0)  # (D, thresholds)
    if not len(found):
        return torch.zeros(hits.shape[1], dtype=torch.float64)
    precision = found / torch.arange(1, len(found) + 1)[:, None]
    precision = precision.flip(0).cummax(0).values.flip(0)  # the best that is still to come
    recall = (found / truths).T.contiguous()  # (thresholds, D)
    places = torch.searchsorted(recall, _RECALLS.expand(len(recall), -1).contiguous())
    reached = torch.cat((precision, precision.new_zeros(1, precision.shape[1])))  # 0 beyond the last recall
    return reached.gather(0, places.T).mean(0)
