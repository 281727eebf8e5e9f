"""The two blocks of He et al. 2015 (Figure 5), ready to use alone, in the original order with option B."""

from __future__ import annotations

from torch import nn

from residua.nn.branch import basic_layers, bottleneck_layers, conv_branch
from residua.nn.residual import Residual
from residua.nn.shortcut import Projection


class BasicBlock(Residual):
    """3x3, 3x3. ``(N, in_channels, H, W)`` to ``(N, out_channels, ceil(H / stride), ceil(W / stride))``."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(
            conv_branch(basic_layers(out_channels, stride), in_channels),
            _projected(in_channels, out_channels, stride),
            activation=nn.ReLU(),
        )


class Bottleneck(Residual):
    """1x1, 3x3 (strided, v1.5), 1x1. Gives ``expansion * width`` channels."""

    def __init__(self, in_channels: int, width: int, stride: int = 1, expansion: int = 4) -> None:
        super().__init__(
            conv_branch(bottleneck_layers(width, stride, expansion=expansion), in_channels),
            _projected(in_channels, expansion * width, stride),
            activation=nn.ReLU(),
        )


def _projected(in_channels: int, out_channels: int, stride: int) -> nn.Module | None:
    changes = stride != 1 or in_channels != out_channels
    return Projection(in_channels, out_channels, stride) if changes else None
