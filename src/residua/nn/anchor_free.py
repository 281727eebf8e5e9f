"""Detection without anchors (Tian et al. 2019, *FCOS: Fully Convolutional One-Stage Object Detection*)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residua.nn.boxes import nms

CANDIDATES = 100  # best scores of an image that non-maximum suppression sees
_FARTHEST = 6.0  # exponent of the largest distance, in strides: e^6 strides is beyond any image


class Detections(NamedTuple):
    """What is found in images, best first. A score of 0 stands where there is nothing."""

    boxes: Tensor  # (N, K, 4) left, top, right, bottom in pixels
    scores: Tensor  # (N, K) in [0, 1]
    labels: Tensor  # int64 (N, K)


class AnchorFreeHead(nn.Module):
    """Two towers that all levels share: one for the class, one for the box and its centre-ness (sec. 3.1).

    Shapes: maps ``(N, width, h, w)`` to ``(N, num_classes + 5, h, w)``: class logits, the logarithms of the distances
    to the box's left, top, right and bottom in strides, and the logit of the centre-ness.
    """

    def __init__(self, width: int, convolutions: int, num_classes: int) -> None:
        super().__init__()
        self.class_tower = _tower(width, convolutions)
        self.logits = nn.Conv2d(width, num_classes, 3, padding=1)
        self.box_tower = _tower(width, convolutions)
        self.distances = nn.Conv2d(width, 4, 3, padding=1)
        self.centerness = nn.Conv2d(width, 1, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]  # made with one
        # every location starts as background with probability 0.99 (Lin et al. 2017b, focal loss, sec. 4.1)
        nn.init.constant_(self.logits.bias, -math.log(99))  # type: ignore[arg-type]  # made with one

    def forward(self, x: Tensor) -> Tensor:
        """What a level's maps say of each location."""
        box = self.box_tower(x)
        return torch.cat((self.logits(self.class_tower(x)), self.distances(box), self.centerness(box)), 1)


class Detector(nn.Module):
    """A pyramid and a head over all of its levels.

    Shapes: images ``(N, C, H, W)`` to ``(N, L, num_classes + 5)``, a row for each location of each level, finest level
    first: class logits, the box (left, top, right, bottom in pixels), the logit of the centre-ness.
    """

    def __init__(self, spec: Any, pyramid: nn.Module, head: AnchorFreeHead) -> None:
        super().__init__()
        self.spec, self.pyramid, self.head = spec, pyramid, head
        self.strides: tuple[int, ...] = pyramid.strides  # type: ignore[assignment]  # of any pyramid

    def forward(self, x: Tensor) -> Tensor:
        """Raw predictions of images; ``detect`` makes detections of them."""
        maps = list(self.pyramid(x).values())
        rows = torch.cat([self.head(level).flatten(2).transpose(1, 2) for level in maps], 1).float()
        points, strides = locations([level.shape[2:] for level in maps], self.strides, x.device)
        logits, distances, centerness = rows.split((rows.shape[2] - 5, 4, 1), 2)
        distances = distances.clamp(max=_FARTHEST).exp() * strides[:, None]
        boxes = torch.cat((points - distances[..., :2], points + distances[..., 2:]), 2)
        return torch.cat((logits, boxes, centerness), 2)

    def locations(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Centres ``(L, 2)`` and strides ``(L,)`` of the locations of such images, in the order of the rows."""
        height, width = images.shape[2:]
        return locations(
            [(-(-height // s), -(-width // s)) for s in self.strides], self.strides, images.device
        )

    @torch.no_grad()
    def detect(self, x: Tensor, *, least: float = 0.05, overlap: float = 0.6) -> Detections:
        """What is in images: at least ``least`` sure, and boxes of a class overlap by at most ``overlap``."""
        return detections(self(x), x.shape[2:], least=least, overlap=overlap)


def detections(rows: Tensor, size: Any, *, least: float = 0.05, overlap: float = 0.6) -> Detections:
    """The detections in raw predictions of images of ``size`` (height, width)."""
    logits, boxes, centerness = rows.split((rows.shape[2] - 5, 4, 1), 2)
    scores = (logits.sigmoid() * centerness.sigmoid()).sqrt()  # the geometric mean: the paper's code
    best, places = scores.flatten(1).topk(min(CANDIDATES, scores.shape[1] * scores.shape[2]))
    labels = places % scores.shape[2]
    rank = (places // scores.shape[2])[..., None].expand(-1, -1, 4)
    height, width = size
    boxes = boxes.gather(1, rank).clamp(min=0)
    boxes = torch.minimum(boxes, boxes.new_tensor([width, height, width, height]))
    stays = nms(boxes, best, labels, overlap) & (best >= least)
    return Detections(boxes, best * stays, labels)


def locations(sizes: Any, strides: tuple[int, ...], device: Any = None) -> tuple[Tensor, Tensor]:
    """The image points that the maps' pixels stand for, ``(L, 2)`` as x, y, and their strides ``(L,)``.

    A pixel stands for the middle of its cell, ``stride // 2 + stride * index`` (sec. 3.1).
    """
    points, steps = [], []
    for (height, width), stride in zip(sizes, strides, strict=True):
        y, x = (torch.arange(n, device=device) * stride + stride // 2 for n in (height, width))
        grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).reshape(-1, 2)
        points.append(grid)
        steps.append(torch.full((len(grid),), stride, device=device))
    return torch.cat(points).float(), torch.cat(steps).float()


class _GroupNorm(nn.GroupNorm):
    """Computed in float32: the backward kernel for bfloat16 takes a CPU as long as the rest of the network."""

    def forward(self, input: Tensor) -> Tensor:
        weight, bias = self.weight.float(), self.bias.float()
        return F.group_norm(input.float(), self.num_groups, weight, bias, self.eps).to(input.dtype)


def _tower(width: int, convolutions: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(convolutions):
        layers += [nn.Conv2d(width, width, 3, padding=1), _GroupNorm(math.gcd(32, width), width), nn.ReLU()]
    return nn.Sequential(*layers)
