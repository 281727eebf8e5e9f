"""A class for every pixel, out of a backbone's last maps."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residua.errors import UsageError
from residua.nn.recording import recorded


class FcnHead(nn.Sequential):
    """3x3 convolution, norm, ReLU, dropout (Long et al. 2015, as torchvision builds it)."""

    def __init__(self, in_channels: int, width: int, dropout: float) -> None:
        super().__init__(_conv(in_channels, width, 3), nn.Dropout(dropout))


class AsppHead(nn.Module):
    """Atrous spatial pyramid pooling (Chen et al. 2017, sec. 3.3): dilations side by side, and the whole image.

    Shapes: ``(N, in_channels, h, w)`` to ``(N, width, h, w)``. Raises UsageError for a training batch of one image.
    """

    def __init__(self, in_channels: int, width: int, dropout: float, rates: tuple[int, ...]) -> None:
        super().__init__()
        self.views = nn.ModuleList(
            [_conv(in_channels, width, 1), *(_conv(in_channels, width, 3, rate) for rate in rates)]
        )
        self.image = _conv(in_channels, width, 1)
        self.project = nn.Sequential(_conv((len(rates) + 2) * width, width, 1), nn.Dropout(dropout))
        self.smooth = _conv(width, width, 3)

    def forward(self, x: Tensor) -> Tensor:
        """What each pixel sees of its surroundings."""
        if self.training and not recorded(x) and x.shape[0] < 2:
            raise UsageError(
                "the view of the whole image is normalised over the batch: training needs two images"
            )
        image = self.image(x.mean((2, 3), keepdim=True)).expand(-1, -1, x.shape[2], x.shape[3])
        return self.smooth(self.project(torch.cat([*(view(x) for view in self.views), image], 1)))


class Segmenter(nn.Module):
    """A backbone's last maps, a head, a classifier of each pixel, and the way back to the size of the image.

    Shapes: images ``(N, C, H, W)`` to logits ``(N, num_classes, H, W)``.
    """

    def __init__(self, spec: Any, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.spec, self.backbone, self.head = spec, backbone, head
        self.classifier = nn.Conv2d(spec.width, spec.num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of every pixel."""
        (maps,) = self.backbone(x)
        logits = self.classifier(self.head(maps))
        return F.interpolate(logits, size=x.shape[2:], mode="bilinear", align_corners=False)


def _conv(in_channels: int, out_channels: int, kernel: int, rate: int = 1) -> nn.Sequential:
    padding = rate * (kernel // 2)
    conv = nn.Conv2d(in_channels, out_channels, kernel, padding=padding, dilation=rate, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels), nn.ReLU())
