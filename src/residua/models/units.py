"""The kinds of unit that ``ResNetSpec.unit`` can name. A user registers an own kind here; no file can import code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from residua.errors import UsageError, nearest

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class UnitKind:
    """A kind of unit.

    ``branch(spec, in_channels, width, stride, preactivated)`` builds the residual function; ``preactivated`` says
    that norm and activation already stand before it. ``convolutions`` is what one unit adds to the depth;
    ``expands`` whether it gives ``spec.expansion * width`` channels instead of ``width``.
    """

    branch: Callable[[Any, int, int, int, bool], nn.Module]
    convolutions: int
    expands: bool = False


_kinds: dict[str, UnitKind] = {}


def register_unit(name: str, kind: UnitKind) -> None:
    """Make ``unit=name`` known to every ResNet spec. Raises UsageError if the name belongs to another kind."""
    if _kinds.get(name, kind) != kind:
        raise UsageError(f"unit {name!r} is already registered")
    _kinds[name] = kind


def unit_kind(name: str) -> UnitKind:
    """The kind called ``name``. Raises UsageError with the nearest known name."""
    if name not in _kinds:
        raise UsageError(
            f"unknown unit {name!r}{nearest(name, _kinds)} (a unit of your own must be registered before it is used)"
        )
    return _kinds[name]


def unit_names() -> tuple[str, ...]:
    """The names of every registered unit."""
    return tuple(_kinds)


def _basic(spec: Any, in_channels: int, width: int, stride: int, preactivated: bool) -> nn.Module:
    from residua.nn import basic_layers, conv_branch

    layers = basic_layers(width, stride)
    return conv_branch(layers, in_channels, spec.order, preactivated=preactivated, dropout=spec.dropout)


def _one_layer(spec: Any, in_channels: int, width: int, stride: int, preactivated: bool) -> nn.Module:
    from residua.nn import conv_branch
    from residua.nn.branch import ConvLayer

    layers = (ConvLayer(3, width, stride),)
    return conv_branch(layers, in_channels, spec.order, preactivated=preactivated, dropout=spec.dropout)


def _bottleneck(spec: Any, in_channels: int, width: int, stride: int, preactivated: bool) -> nn.Module:
    from residua.nn import bottleneck_layers, conv_branch

    layers = bottleneck_layers(
        width,
        stride,
        expansion=spec.expansion,
        stride_on=spec.stride_on,
        inner=spec.inner_width(width),
        cardinality=spec.cardinality,
    )
    return conv_branch(layers, in_channels, spec.order, preactivated=preactivated, dropout=spec.dropout)


register_unit("basic", UnitKind(_basic, convolutions=2))
register_unit(
    "one_layer", UnitKind(_one_layer, convolutions=1)
)  # one 3x3: He et al. 2015, sec. 3.2; 2016, Table 3
register_unit("bottleneck", UnitKind(_bottleneck, convolutions=3, expands=True))
