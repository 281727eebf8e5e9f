"""From a spec of stages to the network: the one builder behind ResNet, ResNeXt and Wide ResNet."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import nn

from residua import nn as bricks
from residua.models.units import unit_kind
from residua.nn.dilate import dilate_stages

if TYPE_CHECKING:
    from residua.models.resnet import ResNetSpec


def build_stages(spec: ResNetSpec) -> bricks.ImageClassifier:
    """The network of a spec, initialised after He et al. from torch's default generator."""
    order = bricks.ORDERS[spec.order]
    channels = spec.stem_width or spec.widths[0]
    stem = bricks.make_stem(spec.stem, spec.in_channels, channels)
    rates = iter(bricks.drop_path_rates(spec.drop_path_rule, spec.drop_path, sum(spec.depths)))
    stages, preactivated = [], spec.stem != "cifar-conv"  # every other stem ends with norm and activation
    for depth, width, out_channels, stride in zip(
        spec.depths, spec.widths, spec.out_widths, spec.natural_strides, strict=True
    ):
        units: list[bricks.Residual | bricks.Chain] = []
        for index in range(depth):
            step = stride if index == 0 else 1
            drop = bricks.DropPath(next(rates), spec.drop_path_mode)
            units.append(_unit(spec, channels, width, out_channels, step, drop, preactivated))
            channels, preactivated = out_channels, False
        stages.append(bricks.Chain(*units))
    dilate_stages(stages, spec.natural_strides, spec.strides)
    network = bricks.ImageClassifier(
        spec=spec,
        stem=stem,
        stem_reduction=stem.reduction,
        stages=stages,
        widths=spec.out_widths,
        strides=spec.strides,
        # what the next unit would have done (He et al. 2016, appendix)
        tail=nn.Sequential(*bricks.norm_act(order.before, channels).values()) if order.before else None,
    )
    bricks.he_init(network)
    if spec.zero_init:
        bricks.zero_init_branches(network)
    return network


def _unit(
    spec: ResNetSpec,
    channels: int,
    width: int,
    out_channels: int,
    stride: int,
    drop: bricks.DropPath,
    preactivated: bool,
) -> bricks.Residual | bricks.Chain:
    order = bricks.ORDERS[spec.order]
    shortcut = None
    if spec.merge != "branch_only":
        shortcut = bricks.make_shortcut(
            spec.shortcut, channels, out_channels, stride, norm="norm" in order.last
        )
    # a projection sees the pre-activated input too (He et al. 2016, appendix): the pre-activation is shared
    shared = None
    if not preactivated and isinstance(shortcut, bricks.Projection):
        shared = _sequence(order.before, channels)
    unit = bricks.Residual(
        unit_kind(spec.unit).branch(spec, channels, width, stride, preactivated or shared is not None),
        shortcut,
        merge=_MERGES[spec.merge](spec, channels, out_channels, stride),
        activation=nn.ReLU() if order.merged == "act" else _sequence(order.merged, out_channels),
        drop_path=drop,
    )
    return unit if shared is None else bricks.Chain(OrderedDict(preact=shared, unit=unit))


def _sequence(parts: str, channels: int) -> nn.Sequential | None:
    return nn.Sequential(bricks.norm_act(parts, channels)) if parts else None


def _gate(spec: ResNetSpec, channels: int, out_channels: int, stride: int) -> bricks.Gate:
    return bricks.Gate(channels, out_channels, stride, bias=spec.gate_bias)


_MERGES: dict[str, Callable[[ResNetSpec, int, int, int], bricks.Merge]] = {
    "add": lambda *_: bricks.Add(),
    "branch_only": lambda *_: bricks.BranchOnly(),
    "constant_scaling": lambda spec, *_: bricks.ConstantScaling(spec.shortcut_scale, spec.branch_scale),
    "exclusive_gating": lambda *unit: bricks.ExclusiveGating(_gate(*unit)),
    "shortcut_only_gating": lambda *unit: bricks.ShortcutOnlyGating(_gate(*unit)),
}
