"""Read this first: the two blocks of He et al. 2015 (Figure 5), whole, from torch's layers.

A residual unit is ``y = activation(merge(shortcut(x), drop_path(branch(x))))``: a ``Residual`` joins a branch, which is
any module, to a shortcut. Whatever looks inside a network finds these units, so a block of your own that
is written like these two has all of it. Networks of named specs assemble the same from parts (``models/units``).
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from residua.nn.residual import Residual
from residua.nn.shortcut import Projection


class BasicBlock(Residual):
    """3x3, 3x3. ``(N, in_channels, H, W)`` to ``(N, out_channels, ceil(H / stride), ceil(W / stride))``."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        branch: OrderedDict[str, nn.Module] = OrderedDict(
            conv1=nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False),
            norm1=nn.BatchNorm2d(out_channels),
            act1=nn.ReLU(),
            conv2=nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            norm2=nn.BatchNorm2d(out_channels),
        )
        shortcut = _option_b(in_channels, out_channels, stride)
        super().__init__(nn.Sequential(branch), shortcut, activation=nn.ReLU())


class Bottleneck(Residual):
    """1x1, 3x3 (strided, v1.5), 1x1. Gives ``expansion * width`` channels."""

    def __init__(self, in_channels: int, width: int, stride: int = 1, expansion: int = 4) -> None:
        out_channels = expansion * width
        branch: OrderedDict[str, nn.Module] = OrderedDict(
            conv1=nn.Conv2d(in_channels, width, 1, bias=False),
            norm1=nn.BatchNorm2d(width),
            act1=nn.ReLU(),
            conv2=nn.Conv2d(width, width, 3, stride, padding=1, bias=False),
            norm2=nn.BatchNorm2d(width),
            act2=nn.ReLU(),
            conv3=nn.Conv2d(width, out_channels, 1, bias=False),
            norm3=nn.BatchNorm2d(out_channels),
        )
        shortcut = _option_b(in_channels, out_channels, stride)
        super().__init__(nn.Sequential(branch), shortcut, activation=nn.ReLU())


def _option_b(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """The identity where the shape stays, a projection where it changes (sec. 3.3)."""
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return Projection(in_channels, out_channels, stride)
