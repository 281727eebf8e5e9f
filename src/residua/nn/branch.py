"""Convolutional branches as data: a tuple of ``ConvLayer`` and an order of convolution, norm and activation."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import nn

from residua.errors import UsageError, nearest

Order = Literal["original", "bn_after_addition", "relu_before_addition", "relu_only_preact", "full_preact"]


@dataclass(frozen=True)
class UnitOrder:
    """Where norms and activations stand in a unit, as of ``""``, ``"norm"``, ``"act"`` or ``"norm act"``."""

    before: str = ""  # each convolution, and at the end of the network instead of the next unit's
    after: str = ""  # each convolution but the last
    last: str = ""  # after the last convolution
    merged: str = ""  # after the merge
    norm: Callable[[int], nn.Module] = nn.BatchNorm2d  # of so many channels
    act: Callable[[], nn.Module] = nn.ReLU

    def layers(self, parts: str, channels: int, suffix: str = "") -> OrderedDict[str, nn.Module]:
        """The modules of one of the places above, by name: ``norm<suffix>`` and ``act<suffix>``."""
        make = {"norm": lambda: self.norm(channels), "act": self.act}
        return OrderedDict((f"{part}{suffix}", make[part]()) for part in parts.split())


# He et al. 2016, Figure 4
ORDERS: dict[str, UnitOrder] = {
    "original": UnitOrder(after="norm act", last="norm", merged="act"),  # a
    "bn_after_addition": UnitOrder(after="norm act", merged="norm act"),  # b
    "relu_before_addition": UnitOrder(after="norm act", last="norm act"),  # c
    "relu_only_preact": UnitOrder(before="act", after="norm", last="norm"),  # d
    "full_preact": UnitOrder(before="norm act"),  # e
}


def unit_order(name: str | UnitOrder) -> UnitOrder:
    """The order called ``name``. Raises UsageError with the known ones."""
    if isinstance(name, UnitOrder):
        return name
    if name not in ORDERS:
        raise UsageError(f"unknown order of activations {name!r}{nearest(name, ORDERS)}")
    return ORDERS[name]


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
    width: int,
    stride: int = 1,
    *,
    expansion: int = 4,
    stride_on: Literal["1x1", "3x3"] = "3x3",
    inner: int | None = None,
    cardinality: int = 1,
) -> tuple[ConvLayer, ...]:
    """1x1, 3x3, 1x1 to ``expansion * width`` channels (He et al. 2015, Figure 5 right).

    The paper strides on the first 1x1 ("v1"); fb.resnet.torch and torchvision on the 3x3 ("v1.5"). ``inner`` channels
    (``width`` by default) stand between the 1x1s, in ``cardinality`` groups: the aggregated transformations of
    Xie et al. 2016 (Figure 3c).
    """
    inner = width if inner is None else inner
    first, second = (stride, 1) if stride_on == "1x1" else (1, stride)
    return (
        ConvLayer(1, inner, first),
        ConvLayer(3, inner, second, cardinality),
        ConvLayer(1, expansion * width),
    )


def conv_branch(
    layers: Sequence[ConvLayer],
    in_channels: int,
    order: Order | UnitOrder = "original",
    *,
    preactivated: bool = False,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Build a branch from its layers, with norms and activations as ``ORDERS`` says.

    With ``preactivated`` what stands before the first convolution is left out, because the input already went through
    it. ``dropout`` is the rate of a dropout before the last convolution (Zagoruyko & Komodakis 2016, sec. 2.4).
    Raises UsageError for an unknown order.
    """
    where = unit_order(order)
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    channels = in_channels
    for index, layer in enumerate(layers, 1):
        last = index == len(layers)
        if index > 1 or not preactivated:
            parts |= where.layers(where.before, channels, str(index))
        if last and dropout:
            parts["dropout"] = nn.Dropout(dropout)
        parts[f"conv{index}"] = layer.build(channels)
        channels = layer.out_channels
        parts |= where.layers(where.last if last else where.after, channels, str(index))
    return nn.Sequential(parts)
