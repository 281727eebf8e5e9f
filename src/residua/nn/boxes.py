"""Boxes as ``(left, top, right, bottom)`` in pixels, in tensors ``(..., 4)``."""

from __future__ import annotations

import torch
from torch import Tensor


def area(boxes: Tensor) -> Tensor:
    """``(..., 4)`` to ``(...)``; zero where a box is inside out."""
    size = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0)
    return size[..., 0] * size[..., 1]


def pairwise_iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of every pair: ``(..., A, 4)`` and ``(..., B, 4)`` to ``(..., A, B)``."""
    return _iou(first[..., :, None, :], second[..., None, :, :])[0]


def generalized_iou(first: Tensor, second: Tensor) -> Tensor:
    """Generalised IoU of boxes at equal places, in [-1, 1] (Rezatofighi et al. 2019, algorithm 1): it still tells
    boxes apart that do not meet. ``(..., 4)`` twice to ``(...)``.
    """
    iou, union = _iou(first, second)
    low = torch.minimum(first[..., :2], second[..., :2])
    high = torch.maximum(first[..., 2:], second[..., 2:])
    hull = area(torch.cat((low, high), -1))
    return iou - (hull - union) / hull.clamp(min=1e-9)


def nms(boxes: Tensor, scores: Tensor, labels: Tensor, threshold: float) -> Tensor:
    """Greedy non-maximum suppression, within each class and each image: which boxes stay, bool ``(..., K)``.

    A box goes if a box of its class that stays, scores higher and comes earlier in that order overlaps it by more
    than ``threshold``. ``boxes`` are ``(..., K, 4)``, ``scores`` and ``labels`` ``(..., K)``; all images at once.
    """
    order = torch.sort(scores, dim=-1, descending=True, stable=True).indices
    boxes = boxes.gather(-2, order[..., None].expand_as(boxes))
    labels = labels.gather(-1, order)
    beats = (pairwise_iou(boxes, boxes) > threshold) & (labels[..., :, None] == labels[..., None, :])
    beats = beats.triu(1)
    # what the first t boxes decide is right after t rounds, and nothing changes any more after the longest chain
    stays = torch.ones_like(scores, dtype=torch.bool)
    while True:
        now = ~(beats & stays[..., :, None]).any(-2)
        if torch.equal(now, stays):
            return torch.zeros_like(stays).scatter(-1, order, stays)
        stays = now


def _iou(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    low = torch.maximum(first[..., :2], second[..., :2])
    high = torch.minimum(first[..., 2:], second[..., 2:])
    common = area(torch.cat((low, high), -1))
    union = area(first) + area(second) - common
    return common / union.clamp(min=1e-9), union
