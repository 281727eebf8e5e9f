"""Convolutional branches as data: a tuple of ``ConvLayer`` and an order of convolution, norm and activation."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import nn

from residua.errors import UsageError

Order = Literal["original", "full_preact"]


@dataclass(frozen=True)
class ConvLayer:
    """A convolution of a branch; padded so that stride 1 keeps the map's size."""

    kernel: int
    out_channels: int
    stride: int = 1
    groups: int = 1

    def build(self, in_channels: int) -> nn.Conv2d:
        """The convolution, without bias: a norm stands before or after it."""
        return nn.Conv2d(
            in_channels,
            self.out_channels,
            self.kernel,
            self.stride,
            padding=self.kernel // 2,
            groups=self.groups,
            bias=False,
        )


def basic_layers(width: int, stride: int = 1) -> tuple[ConvLayer, ...]:
    """3x3, 3x3 (He et al. 2015, Figure 5 left); the stride is on the first."""
    return ConvLayer(3, width, stride), ConvLayer(3, width)


def bottleneck_layers(
    width: int, stride: int = 1, *, expansion: int = 4, stride_on: Literal["1x1", "3x3"] = "3x3"
) -> tuple[ConvLayer, ...]:
    """1x1, 3x3, 1x1 to ``expansion * width`` channels (He et al. 2015, Figure 5 right).

    The paper strides on the first 1x1 ("v1"); fb.resnet.torch and torchvision on the 3x3 ("v1.5").
    """
    first, second = (stride, 1) if stride_on == "1x1" else (1, stride)
    return ConvLayer(1, width, first), ConvLayer(3, width, second), ConvLayer(1, expansion * width)


def conv_branch(
    layers: Sequence[ConvLayer], in_channels: int, order: Order = "original", *, preactivated: bool = False
) -> nn.Sequential:
    """Build a branch from its layers.

    ``"original"`` (He et al. 2015): conv1-norm1-act1-conv2-norm2, the last activation stands after the merge.
    ``"full_preact"`` (He et al. 2016, Figure 4e): norm1-act1-conv1-norm2-act2-conv2; with ``preactivated`` the first
    norm and activation are left out, because the input already went through them.
    """
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    channels = in_channels
    for index, layer in enumerate(layers, 1):
        conv = layer.build(channels)
        if order == "original":
            parts[f"conv{index}"] = conv
            parts[f"norm{index}"] = nn.BatchNorm2d(layer.out_channels)
            if index < len(layers):
                parts[f"act{index}"] = nn.ReLU()
        elif order == "full_preact":
            if index > 1 or not preactivated:
                parts[f"norm{index}"] = nn.BatchNorm2d(channels)
                parts[f"act{index}"] = nn.ReLU()
            parts[f"conv{index}"] = conv
        else:
            raise UsageError(f"unit order must be 'original' or 'full_preact', not {order!r}")
        channels = layer.out_channels
    return nn.Sequential(parts)
