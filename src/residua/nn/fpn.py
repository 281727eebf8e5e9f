"""Feature pyramids (Lin et al. 2017, *Feature Pyramid Networks for Object Detection*, sec. 3)."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from residua.errors import UsageError
from residua.nn.features import Features

Top = Literal["none", "pool", "conv"]


class FeaturePyramid(nn.Module):
    """Maps of equal width at every level of a backbone, each with the meaning of the levels above it.

    A 1x1 convolution brings every level to ``width`` channels (lateral); from the top down, the coarser map is
    doubled by nearest neighbours and added; a 3x3 convolution smooths each sum. These sums join levels, not a branch
    and its shortcut, so they are no residual units. As in the paper, nothing here has a norm or an activation.

    Args:
        backbone: gives the levels, by ``residua.nn.features.features``.
        width: channels of every map (the paper's d, 256).
        top: coarser levels on top of the last: ``"none"``, ``"pool"`` (P6 by subsampling P5: Lin et al. 2017, sec.
            4.1, note 1), or ``"conv"`` (P6 and P7 by strided 3x3 convolutions of P5: Tian et al. 2019, sec. 3.2).

    Shapes: ``(N, in_channels, H, W)`` to one ``(N, width, ceil(H / strides[i]), ceil(W / strides[i]))`` a level, by
    the names "0", "1", ..., finest first: what torchvision's detection models want of a backbone.

    """

    def __init__(self, backbone: Features, width: int = 256, *, top: Top = "none") -> None:
        super().__init__()
        if backbone.dims != 2:
            raise UsageError(f"a feature pyramid is of images, and {backbone.name} takes volumes")
        self.backbone = backbone
        self.out_channels = width  # torchvision's detection models ask for it
        self.lateral = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in backbone.channels)
        self.smooth = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in backbone.channels)
        self.top = {"none": nn.ModuleList, "pool": _pool, "conv": lambda: _convs(width)}[top]()
        last, extra = backbone.strides[-1], len(self.top)
        self.strides = (*backbone.strides, *(last * 2 ** (i + 1) for i in range(extra)))
        self.channels = (width,) * len(self.strides)
        for module in [*self.lateral, *self.smooth, *self.top]:
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]  # made with one

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """The pyramid of images, finest level first."""
        maps = [lateral(level) for lateral, level in zip(self.lateral, self.backbone(x), strict=True)]
        for i in range(len(maps) - 1, 0, -1):
            # to the size below, not by two: maps of odd size have halved with rounding up
            maps[i - 1] = maps[i - 1] + F.interpolate(maps[i], size=maps[i - 1].shape[2:], mode="nearest")
        maps = [smooth(level) for smooth, level in zip(self.smooth, maps, strict=True)]
        for i, coarser in enumerate(self.top):
            maps.append(coarser(maps[-1].relu() if i else maps[-1]))
        return {str(level): maps[level] for level in range(len(maps))}


def _pool() -> nn.ModuleList:
    return nn.ModuleList([nn.MaxPool2d(1, 2)])


def _convs(width: int) -> nn.ModuleList:
    return nn.ModuleList(nn.Conv2d(width, width, 3, 2, padding=1) for _ in range(2))
