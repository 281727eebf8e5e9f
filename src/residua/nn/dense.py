"""The parts of a DenseNet (Huang et al. 2017): the dense layer, a unit that concatenates, and the transition."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from residua.nn.branch import ConvLayer
from residua.nn.drop import DropPath
from residua.nn.merge import Concat
from residua.nn.residual import Residual


def dense_layer(
    in_channels: int,
    growth_rate: int,
    bottleneck: int = 4,
    *,
    dropout: float = 0.0,
    drop_path: float | DropPath = 0.0,
) -> Residual:
    """A dense layer: ``(N, in_channels, H, W)`` to ``(N, in_channels + growth_rate, H, W)`` (sec. 3, eq. 2).

    Its branch is norm, ReLU, 3x3; with ``bottleneck`` > 0 a norm, ReLU, 1x1 to ``bottleneck * growth_rate`` channels
    stands before. With stochastic depth a dropped layer gives zeros for its new channels.
    """
    layers = [ConvLayer(3, growth_rate)]
    if bottleneck:
        layers.insert(0, ConvLayer(1, bottleneck * growth_rate))
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    channels = in_channels
    for index, layer in enumerate(layers, 1):
        parts |= _norm_act_conv(f"{index}", channels, layer, dropout)
        channels = layer.out_channels
    return Residual(nn.Sequential(parts), merge=Concat(growth_rate), drop_path=drop_path)


def transition(in_channels: int, out_channels: int, dropout: float = 0.0) -> nn.Sequential:
    """Between two dense blocks: norm, ReLU, 1x1, 2x2 average pooling (sec. 3). Halves the map."""
    parts = _norm_act_conv("", in_channels, ConvLayer(1, out_channels), dropout)
    return nn.Sequential(parts | {"pool": nn.AvgPool2d(2)})


def _norm_act_conv(
    index: str, in_channels: int, layer: ConvLayer, dropout: float
) -> OrderedDict[str, nn.Module]:
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    parts[f"norm{index}"] = nn.BatchNorm2d(in_channels)
    parts[f"act{index}"] = nn.ReLU()
    parts[f"conv{index}"] = layer.build(in_channels)
    if dropout:
        parts[f"dropout{index}"] = nn.Dropout(dropout)
    return parts
