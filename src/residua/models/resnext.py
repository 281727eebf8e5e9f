"""ResNeXt (Xie et al. 2016): bottlenecks with ``cardinality`` parallel paths, written as grouped convolutions.

A name says paths and their channels in the first stage: ``resnext50_32x4d`` has 32 paths of 4 channels. The spec is
ResNet's; imports no torch.
"""

from __future__ import annotations

import re
from typing import Any

from residua.errors import UsageError
from residua.models.resnet import ResNetSpec, build
from residua.models.stems.cifar import CifarStemSpec
from residua.models.units.bottleneck import BottleneckUnit
from residua.registry import Family, register

# units a stage (Xie et al. 2016, Table 1; deeper ones as in He et al. 2015)
_IMAGENET = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
# paths x channels: the settings of equal cost of Table 3, then those of twice the cost (Table 4)
_IMAGENET_PATHS = {
    50: ((2, 40), (4, 24), (8, 14), (32, 4)),
    101: ((2, 40), (4, 24), (8, 14), (32, 4), (2, 64), (32, 8), (64, 4)),
}
# Table 7 has 8x64d and 16x64d; 2x64d, 4x64d and 32x4d are small enough for a desk
_CIFAR_PATHS = ((2, 64), (4, 64), (8, 64), (16, 64), (32, 4))


def _imagenet_spec(depth: int, cardinality: int, path_width: int) -> ResNetSpec:
    return ResNetSpec(
        family="resnext",
        name=f"resnext{depth}_{cardinality}x{path_width}d",
        unit=BottleneckUnit(cardinality=cardinality, path_width=path_width),
        depths=_IMAGENET[depth],
    )


def _cifar_spec(depth: int, cardinality: int, path_width: int) -> ResNetSpec:
    """Three stages of bottlenecks, depth 9n+2, projections where the shape changes (Xie et al. 2016, sec. 5.3)."""
    n, rest = divmod(depth - 2, 9)
    if rest or n < 1:
        below = max(n, 1) * 9 + 2
        raise UsageError(f"depth {depth} is not 9n+2; the nearest are {below} and {below + 9}")
    return ResNetSpec(
        family="resnext",
        name=f"cifar_resnext{depth}_{cardinality}x{path_width}d",
        unit=BottleneckUnit(cardinality=cardinality, path_width=path_width),
        depths=(n, n, n),
        widths=(64, 128, 256),
        stem=CifarStemSpec(),
        num_classes=10,
    )


def _tiny() -> ResNetSpec:
    return _cifar_spec(11, 4, 4).change(name="resnext_tiny", widths=(16, 32, 64))


def _named() -> dict[str, ResNetSpec]:
    imagenet = [
        _imagenet_spec(depth, *paths) for depth in _IMAGENET_PATHS for paths in _IMAGENET_PATHS[depth]
    ]
    # Xie et al. 2016, sec. 5.1: the same network without its shortcuts
    plain = _imagenet_spec(50, 32, 4).change(name="plain_resnext50_32x4d", merge="branch_only")
    cifar = [_cifar_spec(29, *paths) for paths in _CIFAR_PATHS]
    return {spec.name: spec for spec in (*imagenet, plain, *cifar, _tiny())}


def _from_name(match: re.Match[str], changes: dict[str, Any]) -> ResNetSpec:
    make = _cifar_spec if match["cifar"] else _imagenet_spec
    return make(int(match["depth"]), int(match["cardinality"]), int(match["path_width"]))


_PATHS = r"_(?P<cardinality>[1-9][0-9]{0,3})x(?P<path_width>[1-9][0-9]{0,3})d"

register(
    Family(
        name="resnext",
        spec_class=ResNetSpec,
        build=build,
        named=_named(),
        patterns={
            rf"(?P<cifar>)resnext(?P<depth>{'|'.join(map(str, _IMAGENET))}){_PATHS}": _from_name,
            rf"(?P<cifar>cifar_)resnext(?P<depth>[0-9]{{1,4}}){_PATHS}": _from_name,
        },
        tiny="resnext_tiny",
    )
)
