"""DenseNets (Huang et al. 2017, *Densely Connected Convolutional Networks*), for ImageNet and for CIFAR.

Every dense layer is a Residual unit whose merge is ``Concat``: the shortcut carries what all earlier layers made, and
the branch adds ``growth_rate`` channels. Stochastic depth then means that a dropped layer's new features are zero for
all later layers, while everything older passes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from residua.errors import UsageError
from residua.registry import Family, register
from residua.spec import ModelSpec, positive

if TYPE_CHECKING:
    from torch import nn

    from residua.nn import ImageClassifier


@dataclass(frozen=True, kw_only=True)
class DenseNetSpec(ModelSpec):
    """Dense blocks with transitions between them. ``depths`` counts the dense layers of each block."""

    family: str = "densenet"
    depths: tuple[int, ...] = (6, 12, 24, 16)
    growth_rate: int = 32  # k: the channels that each layer adds
    width: int = 64  # channels of the stem
    bottleneck: int = 4  # a 1x1 to bottleneck * growth_rate channels before each 3x3 ("B"); 0: none
    compression: float = 0.5  # the part of the channels that a transition keeps ("C"); 1: all
    dropout: float = 0.0  # after every convolution but the first (sec. 4.2: 0.2 without augmentation)
    stem: Literal["imagenet", "cifar"] = "imagenet"
    drop_path: float = 0.0
    drop_path_rule: Literal["linear", "uniform"] = "linear"
    drop_path_mode: Literal["sample", "batch"] = "sample"

    def validate(self) -> None:  # noqa: D102
        super().validate()
        positive(self, "growth_rate", "width", "compression")
        if not self.depths or min(self.depths) < 1:
            raise UsageError(f"every dense block needs a layer: {list(self.depths)}")
        if self.bottleneck < 0:
            raise UsageError(f"bottleneck cannot be negative, not {self.bottleneck}; 0 leaves it out")
        if self.compression > 1:
            raise UsageError(f"compression must be in (0, 1], not {self.compression}")
        for name in ("dropout", "drop_path"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} must be in [0, 1), not {getattr(self, name)}")
        if min(self.in_widths) < 1:
            raise UsageError(f"compression {self.compression} leaves a block without channels")

    @property
    def depth(self) -> int:
        """Convolutions and the fully connected layer; each transition has one convolution."""
        return 1 + sum(self.depths) * (2 if self.bottleneck else 1) + len(self.depths)

    @property
    def in_widths(self) -> tuple[int, ...]:
        """Channels that the first layer of each block gets."""
        widths = [self.width]
        for depth in self.depths[:-1]:
            widths.append(int((widths[-1] + depth * self.growth_rate) * self.compression))
        return tuple(widths)

    @property
    def out_widths(self) -> tuple[int, ...]:
        """Channels that each block gives."""
        return tuple(
            width + depth * self.growth_rate for width, depth in zip(self.in_widths, self.depths, strict=True)
        )

    @property
    def usual_input(self) -> tuple[int, int, int]:
        """Shape (C, H, W) of the images that the paper feeds it."""
        side = {"imagenet": 224, "cifar": 32}[self.stem]
        return self.in_channels, side, side


def build(spec: DenseNetSpec) -> ImageClassifier:
    """The network of a spec, initialised after He et al. from torch's default generator."""
    from collections import OrderedDict

    from torch import nn

    from residua import nn as bricks

    if spec.stem == "imagenet":
        stem: nn.Module = bricks.ImageNetStem(spec.in_channels, spec.width)
        reduction = bricks.ImageNetStem.reduction
    else:  # a convolution alone: the first dense layer starts with norm and activation
        conv = nn.Conv2d(spec.in_channels, spec.width, 3, padding=1, bias=False)
        stem, reduction = nn.Sequential(OrderedDict(conv=conv)), 1
    rates = iter(bricks.drop_path_rates(spec.drop_path_rule, spec.drop_path, sum(spec.depths)))
    stages, given = [], 0
    for index, (depth, channels) in enumerate(zip(spec.depths, spec.in_widths, strict=True)):
        block: OrderedDict[str, nn.Module] = OrderedDict()
        if index:
            block["transition"] = bricks.transition(given, channels, spec.dropout)
        for layer in range(depth):
            drop = bricks.DropPath(next(rates), spec.drop_path_mode)
            block[f"{layer}"] = bricks.dense_layer(
                channels, spec.growth_rate, spec.bottleneck, dropout=spec.dropout, drop_path=drop
            )
            channels += spec.growth_rate
        stages.append(bricks.Chain(block))
        given = channels
    network = bricks.ImageClassifier(
        spec=spec,
        stem=stem,
        stem_reduction=reduction,
        stages=stages,
        widths=spec.out_widths,
        strides=(1,) + (2,) * (len(spec.depths) - 1),
        tail=nn.Sequential(OrderedDict(norm=nn.BatchNorm2d(given), act=nn.ReLU())),
    )
    bricks.he_init(network)
    return network


def cifar_spec(depth: int, growth_rate: int, *, bc: bool = False) -> DenseNetSpec:
    """The three-block CIFAR net of a depth (Huang et al. 2017, sec. 3): 3n+4 layers, 6n+4 with bottlenecks (BC).

    Raises UsageError for a depth that fits no n, with the nearest that do.
    """
    step = 6 if bc else 3
    if depth < step + 4 or (depth - 4) % step:
        below = max((depth - 4) // step, 1) * step + 4
        raise UsageError(
            f"depth {depth} is not {step}n+4 ({'with' if bc else 'no'} bottlenecks); "
            f"the nearest are {below} and {below + step}"
        )
    n = (depth - 4) // step
    return DenseNetSpec(
        name=f"densenet_{'bc_' if bc else ''}{depth}_{growth_rate}",
        depths=(n, n, n),
        growth_rate=growth_rate,
        width=2 * growth_rate if bc else 16,  # sec. 3, implementation details
        bottleneck=4 if bc else 0,
        compression=0.5 if bc else 1.0,
        stem="cifar",
        num_classes=10,
    )


# depth: layers of each block, growth rate (Huang et al. 2017, Table 1; 161 has k = 48)
_IMAGENET: dict[int, tuple[tuple[int, ...], int]] = {
    121: ((6, 12, 24, 16), 32),
    161: ((6, 12, 36, 24), 48),
    169: ((6, 12, 32, 32), 32),
    201: ((6, 12, 48, 32), 32),
}
# Table 2: depth, growth rate, bottlenecks and compression
_CIFAR = (
    (40, 12, False),
    (100, 12, False),
    (100, 24, False),
    (100, 12, True),
    (250, 24, True),
    (190, 40, True),
)
_TINY = cifar_spec(22, 8, bc=True).change(name="densenet_tiny")


def _named() -> dict[str, DenseNetSpec]:
    imagenet = [
        DenseNetSpec(name=f"densenet{depth}", depths=depths, growth_rate=growth, width=2 * growth)
        for depth, (depths, growth) in _IMAGENET.items()
    ]
    cifar = [cifar_spec(depth, growth, bc=bc) for depth, growth, bc in _CIFAR]
    return {spec.name: spec for spec in [*imagenet, *cifar, _TINY]}


def _from_name(match: re.Match[str], _: dict[str, Any]) -> DenseNetSpec:
    return cifar_spec(int(match["depth"]), int(match["growth"]), bc=bool(match["bc"]))


register(
    Family(
        name="densenet",
        spec_class=DenseNetSpec,
        build=build,
        named=_named(),
        patterns={r"densenet_(?P<bc>bc_)?(?P<depth>[0-9]{1,4})_(?P<growth>[0-9]{1,4})": _from_name},
        tiny=_TINY.name,
    )
)
