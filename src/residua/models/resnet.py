"""ResNets and their plain counterparts (He et al. 2015), for ImageNet and for CIFAR, from one spec.

Importing this file imports no torch: the table can be listed at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from residua.errors import UsageError
from residua.models.units import unit_kind
from residua.registry import Family, register
from residua.spec import ModelSpec, positive

if TYPE_CHECKING:
    from residua.nn import Chain, ImageClassifier, Residual


@dataclass(frozen=True, kw_only=True)
class ResNetSpec(ModelSpec):
    """A residual (or plain) network of stages. ``depths`` counts units, ``widths`` the branches' 3x3 channels."""

    family: str = "resnet"
    unit: str = "basic"  # a kind of residua.models.units
    depths: tuple[int, ...] = (2, 2, 2, 2)
    widths: tuple[int, ...] = (64, 128, 256, 512)
    stem: Literal["imagenet", "imagenet-unpadded", "imagenet-pool-first", "cifar"] = "imagenet"
    shortcut: Literal["A", "A-split", "B", "C"] = "B"
    merge: Literal["add", "branch_only"] = "add"  # branch_only: a plain network
    order: Literal["original", "full_preact"] = "original"
    expansion: int = 4  # of bottlenecks
    stride_on: Literal["1x1", "3x3"] = "3x3"  # of bottlenecks: "1x1" is the paper's v1, "3x3" is v1.5
    zero_init: bool = False  # start every branch at zero
    drop_path: float = 0.0
    drop_path_rule: Literal["linear", "uniform"] = "linear"
    drop_path_mode: Literal["sample", "batch"] = "sample"

    def validate(self) -> None:  # noqa: D102
        super().validate()
        positive(self, "expansion")
        unit_kind(self.unit)
        if not self.depths or len(self.depths) != len(self.widths):
            raise UsageError(
                f"depths and widths must be equally long and not empty: {list(self.depths)}, {list(self.widths)}"
            )
        if min(self.depths) < 1 or min(self.widths) < 1:
            raise UsageError(
                f"every stage needs a unit and a channel: {list(self.depths)}, {list(self.widths)}"
            )
        if not 0 <= self.drop_path < 1:
            raise UsageError(f"drop_path must be in [0, 1), not {self.drop_path}")
        if self.drop_path and self.merge == "branch_only":
            raise UsageError("a plain network has no shortcut to fall back on: drop_path needs merge='add'")
        if self.zero_init and self.merge == "branch_only":
            raise UsageError(
                "a plain network whose branches start at zero cannot learn: zero_init needs merge='add'"
            )

    @property
    def depth(self) -> int:
        """Convolutions on the main path and the fully connected layer; projections and norms do not count."""
        return sum(self.depths) * unit_kind(self.unit).convolutions + 2

    @property
    def out_widths(self) -> tuple[int, ...]:
        """Channels that each stage gives."""
        factor = self.expansion if unit_kind(self.unit).expands else 1
        return tuple(width * factor for width in self.widths)

    @property
    def usual_input(self) -> tuple[int, int, int]:
        """Shape (C, H, W) of the images that the papers feed it: 224 px with the ImageNet stem, 32 on CIFAR."""
        side = 32 if self.stem == "cifar" else 224
        return self.in_channels, side, side

    @property
    def strides(self) -> tuple[int, ...]:
        """Stride of each stage: the first keeps the map (the stem has reduced it), the others halve it."""
        return (1,) + (2,) * (len(self.widths) - 1)


def build(spec: ResNetSpec) -> ImageClassifier:
    """The network of a spec, initialised after He et al. from torch's default generator."""
    from torch import nn

    from residua import nn as bricks

    stem = bricks.make_stem(spec.stem, spec.in_channels, spec.widths[0])
    rates = iter(bricks.drop_path_rates(spec.drop_path_rule, spec.drop_path, sum(spec.depths)))
    stages, channels, preactivated = [], spec.widths[0], True  # the stem ends with norm and activation
    for depth, width, out_channels, stride in zip(
        spec.depths, spec.widths, spec.out_widths, spec.strides, strict=True
    ):
        units: list[Residual | Chain] = []
        for index in range(depth):
            step = stride if index == 0 else 1
            drop = bricks.DropPath(next(rates), spec.drop_path_mode)
            units.append(_unit(spec, channels, width, out_channels, step, drop, preactivated))
            channels, preactivated = out_channels, False
        stages.append(bricks.Chain(*units))
    tail = None
    if spec.order == "full_preact":  # what the next unit would have done (He et al. 2016, appendix)
        tail = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())
    network = bricks.ImageClassifier(
        spec=spec,
        stem=stem,
        stem_reduction=stem.reduction,
        stages=stages,
        widths=spec.out_widths,
        strides=spec.strides,
        tail=tail,
    )
    bricks.he_init(network)
    if spec.zero_init:
        bricks.zero_init_branches(network)
    return network


def _unit(
    spec: ResNetSpec, channels: int, width: int, out_channels: int, stride: int, drop: Any, preactivated: bool
) -> Residual | Chain:
    from collections import OrderedDict

    from torch import nn

    from residua import nn as bricks

    plain, original = spec.merge == "branch_only", spec.order == "original"
    shortcut = None
    if not plain:
        shortcut = bricks.make_shortcut(spec.shortcut, channels, out_channels, stride, norm=original)
    # a projection sees the pre-activated input too (He et al. 2016, appendix): the pre-activation is shared
    shared = not original and not preactivated and isinstance(shortcut, bricks.Projection)
    unit = bricks.Residual(
        unit_kind(spec.unit).branch(spec, channels, width, stride, preactivated or shared),
        shortcut,
        merge=bricks.BranchOnly() if plain else bricks.Add(),
        activation=nn.ReLU() if original else None,
        drop_path=drop,
    )
    if not shared:
        return unit
    preact = nn.Sequential(OrderedDict(norm=nn.BatchNorm2d(channels), act=nn.ReLU()))
    return bricks.Chain(OrderedDict(preact=preact, unit=unit))


# depth: unit, units a stage (He et al. 2015, Table 1)
_IMAGENET: dict[int, tuple[str, tuple[int, ...]]] = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}
_CIFAR_RESIDUAL = (20, 32, 44, 56, 110, 164, 1001, 1202)
_CIFAR_PLAIN = (20, 32, 44, 56, 110)
_BOTTLENECK_BY_NAME = (164, 1001)  # 164 fits both formulas; He et al. 2016 means bottlenecks


def cifar_spec(depth: int, *, unit: str | None = None, plain: bool = False) -> ResNetSpec:
    """The CIFAR net of a depth: 6n+2 with basic units, 9n+2 with bottlenecks (He et al. 2015, sec. 4.2; 2016).

    ``unit`` decides where both formulas fit; basic by default. Raises UsageError for a depth that fits none.
    """
    fits = {
        kind: depth > 2 and (depth - 2) % (3 * convs) == 0
        for kind, convs in (("basic", 2), ("bottleneck", 3))
    }
    if unit is not None and unit not in fits:
        raise UsageError(f"unit must be 'basic' or 'bottleneck', not {unit!r}")
    if unit is None:
        unit = "bottleneck" if depth in _BOTTLENECK_BY_NAME or not fits["basic"] else "basic"
    if not fits[unit]:
        formula, step = ("6n+2", 6) if unit == "basic" or not any(fits.values()) else ("9n+2", 9)
        below = max((depth - 2) // step, 1) * step + 2
        kinds = f"{formula} ({unit} units)" if any(fits.values()) else "6n+2 (basic) or 9n+2 (bottleneck)"
        raise UsageError(
            f"depth {depth} is not {kinds}; the nearest {formula} are {below} and {below + step}"
        )
    n = (depth - 2) // (6 if unit == "basic" else 9)
    return ResNetSpec(
        name=f"cifar_{'plain' if plain else 'resnet'}{depth}",
        unit=unit,
        depths=(n, n, n),
        widths=(16, 32, 64),
        stem="cifar",
        shortcut="A",
        merge="branch_only" if plain else "add",
        num_classes=10,
    )


def _imagenet_specs() -> dict[str, ResNetSpec]:
    specs = {}
    for depth, (unit, depths) in _IMAGENET.items():
        resnet = ResNetSpec(name=f"resnet{depth}", unit=unit, depths=depths)
        specs[resnet.name] = resnet
        specs[f"preact_{resnet.name}"] = resnet.change(name=f"preact_{resnet.name}", order="full_preact")
        if unit == "bottleneck":
            specs[f"{resnet.name}_v1"] = resnet.change(name=f"{resnet.name}_v1", stride_on="1x1")
        else:  # the paper's plain nets have basic units only
            name = f"plain{depth}"
            specs[name] = resnet.change(name=name, merge="branch_only", shortcut="A")
    return specs


def _cifar_specs() -> dict[str, ResNetSpec]:
    residual = [cifar_spec(depth) for depth in _CIFAR_RESIDUAL]
    preact = [s.change(name=f"cifar_preact_resnet{s.depth}", order="full_preact") for s in residual]
    return {s.name: s for s in [*residual, *(cifar_spec(d, plain=True) for d in _CIFAR_PLAIN), *preact]}


def _cifar_from_name(match: re.Match[str], changes: dict[str, Any]) -> ResNetSpec:
    spec = cifar_spec(int(match["depth"]), unit=changes.pop("unit", None), plain=match["kind"] == "plain")
    if match["preact"]:
        spec = spec.change(name=match[0], order="full_preact")
    return spec


register(
    Family(
        name="resnet",
        spec_class=ResNetSpec,
        build=build,
        named=_imagenet_specs() | _cifar_specs(),
        patterns={r"cifar_(?P<preact>preact_)?(?P<kind>resnet|plain)(?P<depth>[0-9]{1,5})": _cifar_from_name},
        tiny="cifar_resnet8",
    )
)
