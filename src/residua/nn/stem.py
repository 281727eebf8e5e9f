"""What stands before the first stage."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


class ImageNetStem(nn.Sequential):
    """7x7/2 convolution, norm, ReLU, 3x3/2 max-pool (He et al. 2015, Table 1): ``(N, C, H, W)`` to ``H/4, W/4``."""

    reduction = 4

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__(
            OrderedDict(
                conv=nn.Conv2d(in_channels, width, 7, 2, padding=3, bias=False),
                norm=nn.BatchNorm2d(width),
                act=nn.ReLU(),
                pool=nn.MaxPool2d(3, 2, padding=1),
            )
        )


class CifarStem(nn.Sequential):
    """3x3 convolution, norm, ReLU (He et al. 2015, sec. 4.2): the map keeps its size."""

    reduction = 1

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__(
            OrderedDict(
                conv=nn.Conv2d(in_channels, width, 3, padding=1, bias=False),
                norm=nn.BatchNorm2d(width),
                act=nn.ReLU(),
            )
        )
