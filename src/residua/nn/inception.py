"""The parts of GoogLeNet (Szegedy et al. 2015), with the batch norm that later libraries put after each convolution."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn


def conv_norm_act(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution, norm, ReLU; padded so that stride 1 keeps the map's size."""
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)
    norm = nn.BatchNorm2d(out_channels, eps=1e-3)  # of the network's TensorFlow original
    return nn.Sequential(OrderedDict(conv=conv, norm=norm, act=nn.ReLU()))


class InceptionStem(nn.Sequential):
    """7x7/2, pool, 1x1, 3x3, pool (Szegedy et al. 2015, Table 1): ``(N, C, H, W)`` to ``(N, 3 width, H/8, W/8)``."""

    reduction = 8

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__(
            OrderedDict(
                conv1=conv_norm_act(in_channels, width, 7, 2),
                pool1=nn.MaxPool2d(3, 2, ceil_mode=True),
                conv2=conv_norm_act(width, width, 1),
                conv3=conv_norm_act(width, 3 * width, 3),
                pool2=nn.MaxPool2d(3, 2, ceil_mode=True),
            )
        )


class Inception(nn.Module):
    """Four branches side by side (Szegedy et al. 2015, Figure 2b): 1x1; 1x1, 3x3; 1x1, 5x5; max-pool, 1x1.

    ``widths`` are the six of the paper's Table 1: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool. ``largest_kernel`` is
    that of the third branch. Shapes: ``(N, in_channels, H, W)`` to ``(N, out_channels, H, W)``.
    """

    def __init__(self, in_channels: int, widths: Sequence[int], *, largest_kernel: int = 5) -> None:
        super().__init__()
        one, reduce3, three, reduce5, five, pooled = widths
        self.out_channels = one + three + five + pooled
        self.branch1 = conv_norm_act(in_channels, one, 1)
        self.branch2 = nn.Sequential(conv_norm_act(in_channels, reduce3, 1), conv_norm_act(reduce3, three, 3))
        self.branch3 = nn.Sequential(
            conv_norm_act(in_channels, reduce5, 1), conv_norm_act(reduce5, five, largest_kernel)
        )
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, padding=1), conv_norm_act(in_channels, pooled, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Every branch of the same input."""
        return torch.cat((self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)), 1)
