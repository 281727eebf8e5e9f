"""The functions f(t, y) of image-sized ODEs: small convolutional networks that see the time."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn


class TimeConv(nn.Module):
    """A 3x3 convolution that sees the time as one more channel: ``(N, C, H, W)`` to ``(N, C', H, W)``."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels + 1, out_channels, 3, padding=1)

    def forward(self, t: Tensor | float, x: Tensor) -> Tensor:
        """Convolve."""
        return self.conv(torch.cat([torch.ones_like(x[:, :1]) * t, x], 1))


class TimeField(nn.Module):
    """norm, ReLU, TimeConv, norm, ReLU, TimeConv, norm: the function of Chen et al. 2018, sec. 3 (their code)."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(groups, channels), TimeConv(channels, channels)
        self.norm2, self.conv2 = nn.GroupNorm(groups, channels), TimeConv(channels, channels)
        self.norm3 = nn.GroupNorm(groups, channels)

    def forward(self, t: Tensor | float, y: Tensor) -> Tensor:
        """How fast ``y`` (N, C, H, W) moves at time ``t``."""
        y = self.conv1(t, self.norm1(y).relu())
        return self.norm3(self.conv2(t, self.norm2(y).relu()))


class SteadyField(nn.Module):
    """The branch of a pre-activation unit, as a function that does not see the time: the ResNet beside the ODE."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        for index in ("1", "2"):
            parts[f"norm{index}"] = nn.GroupNorm(groups, channels)
            parts[f"act{index}"] = nn.ReLU()
            parts[f"conv{index}"] = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.branch = nn.Sequential(parts)

    def forward(self, t: Tensor | float, y: Tensor) -> Tensor:
        """How fast ``y`` (N, C, H, W) moves, at any time."""
        return self.branch(y)
