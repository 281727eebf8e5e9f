"""The parts of a DenseNet (Huang et al. 2017): the dense layer, a unit that concatenates, and the transition."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from residua.nn.branch import ORDERS, ConvLayer, UnitOrder
from residua.nn.drop import DropPath
from residua.nn.merge import Concat
from residua.nn.residual import Residual


def dense_branch(
    in_channels: int,
    growth_rate: int,
    bottleneck: int = 4,
    *,
    order: UnitOrder = ORDERS["full_preact"],
    dropout: float = 0.0,
) -> nn.Sequential:
    """The branch of a dense layer (sec. 3, eq. 2): ``(N, in_channels, H, W)`` to ``(N, growth_rate, H, W)``.

    Norm, ReLU, 3x3; with ``bottleneck`` > 0 a norm, ReLU, 1x1 to ``bottleneck * growth_rate`` channels stands before.
    """
    layers = [ConvLayer(3, growth_rate)]
    if bottleneck:
        layers.insert(0, ConvLayer(1, bottleneck * growth_rate))
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    channels = in_channels
    for index, layer in enumerate(layers, 1):
        parts |= _norm_act_conv(f"{index}", channels, layer, order, dropout)
        channels = layer.out_channels
    return nn.Sequential(parts)


def dense_layer(
    in_channels: int,
    growth_rate: int,
    bottleneck: int = 4,
    *,
    dropout: float = 0.0,
    drop_path: float | DropPath = 0.0,
) -> Residual:
    """A dense layer: ``(N, in_channels, H, W)`` to ``(N, in_channels + growth_rate, H, W)``.

    With stochastic depth a dropped layer gives zeros for its new channels.
    """
    branch = dense_branch(in_channels, growth_rate, bottleneck, dropout=dropout)
    return Residual(branch, merge=Concat(growth_rate), drop_path=drop_path)


def transition(in_channels: int, out_channels: int, dropout: float = 0.0) -> nn.Sequential:
    """Between two dense blocks: norm, ReLU, 1x1, 2x2 average pooling (sec. 3). Halves the map."""
    parts = _norm_act_conv("", in_channels, ConvLayer(1, out_channels), ORDERS["full_preact"], dropout)
    return nn.Sequential(parts | {"pool": nn.AvgPool2d(2)})


def _norm_act_conv(
    index: str, in_channels: int, layer: ConvLayer, order: UnitOrder, dropout: float
) -> OrderedDict[str, nn.Module]:
    parts = order.layers(order.before, in_channels, index)
    parts[f"conv{index}"] = layer.build(in_channels)
    if dropout:
        parts[f"dropout{index}"] = nn.Dropout(dropout)
    return parts
