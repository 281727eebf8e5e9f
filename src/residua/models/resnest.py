"""ResNeSts (Zhang et al. 2020, *ResNeSt: Split-Attention Networks*).

A bottleneck ResNet whose 3x3 is split attention, with the tweaks of ResNet-D (a deep stem, pooled projections) and
strides taken by average pooling. Split attention is no unit; the bottleneck around it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from residua.errors import UsageError
from residua.registry import Family, register
from residua.spec import ModelSpec, positive

if TYPE_CHECKING:
    from residua.nn import ImageClassifier, Residual


@dataclass(frozen=True, kw_only=True)
class ResNeStSpec(ModelSpec):
    """Stages of split-attention bottlenecks. ``widths`` are the 3x3 channels at cardinality 1 and base width 64."""

    repeats: ClassVar[str] = "depths"

    family: str = "resnest"
    depths: tuple[int, ...] = (3, 4, 6, 3)
    widths: tuple[int, ...] = (64, 128, 256, 512)
    radix: int = 2  # splits of a cardinal group
    cardinality: int = 1  # cardinal groups
    base_width: int = 64  # channels of a cardinal group for each 64 of ``widths``
    pool_first: bool = False  # the strided pooling before the 3x3 instead of after it (the "fast" networks)
    expansion: int = 4
    stem: Literal["imagenet", "cifar"] = "imagenet"
    stem_width: int = 64
    zero_init: bool = False  # start every branch at zero
    drop_path: float = 0.0
    drop_path_rule: Literal["linear", "uniform"] = "linear"
    drop_path_mode: Literal["sample", "batch"] = "sample"

    def validate(self) -> None:  # noqa: D102
        super().validate()
        positive(self, "radix", "cardinality", "base_width", "expansion")
        if not self.depths or len(self.depths) != len(self.widths):
            raise UsageError(
                f"depths and widths must be equally long and not empty: {list(self.depths)}, {list(self.widths)}"
            )
        if min(self.depths) < 1 or min(self.widths) < 1:
            raise UsageError(
                f"every stage needs a unit and a channel: {list(self.depths)}, {list(self.widths)}"
            )
        if self.stem_width < 2 or self.stem_width % 2:
            raise UsageError(f"stem_width must be even and above 0, not {self.stem_width}")
        groups = self.radix * self.cardinality
        if any(width < 1 or width % groups for width in self.group_widths):
            raise UsageError(
                f"the 3x3 channels {list(self.group_widths)} must be multiples of radix * cardinality = {groups}"
            )
        if not 0 <= self.drop_path < 1:
            raise UsageError(f"drop_path must be in [0, 1), not {self.drop_path}")

    @property
    def depth(self) -> int:
        """As the papers name it: like the ResNet of the same stages, with the deep stem counted once."""
        return 3 * sum(self.depths) + 2

    @property
    def group_widths(self) -> tuple[int, ...]:
        """3x3 channels of each stage."""
        return tuple(width * self.base_width // 64 * self.cardinality for width in self.widths)

    @property
    def out_widths(self) -> tuple[int, ...]:
        """Channels that each stage gives."""
        return tuple(width * self.expansion for width in self.widths)

    @property
    def usual_input(self) -> tuple[int, int, int]:
        """Shape (C, H, W): 224 px with the ImageNet stem, 32 with the other."""
        side = {"imagenet": 224, "cifar": 32}[self.stem]
        return self.in_channels, side, side


def build(spec: ResNeStSpec) -> ImageClassifier:
    """The network of a spec, initialised after He et al. from torch's default generator."""
    from residua import nn as bricks

    stem = {"imagenet": bricks.DeepStem, "cifar": bricks.CifarStem}[spec.stem](
        spec.in_channels, spec.stem_width
    )
    strides = (1,) + (2,) * (len(spec.depths) - 1)
    rates = iter(bricks.drop_path_rates(spec.drop_path_rule, spec.drop_path, sum(spec.depths)))
    stages, channels = [], spec.stem_width
    for depth, width, out_channels, stride in zip(
        spec.depths, spec.group_widths, spec.out_widths, strides, strict=True
    ):
        units = []
        for index in range(depth):
            drop = bricks.DropPath(next(rates), spec.drop_path_mode)
            units.append(_unit(spec, channels, width, out_channels, 1 if index else stride, drop))
            channels = out_channels
        stages.append(bricks.Chain(*units))
    network = bricks.ImageClassifier(
        spec=spec,
        stem=stem,
        stem_reduction=stem.reduction,
        stages=stages,
        widths=spec.out_widths,
        strides=strides,
    )
    bricks.he_init(network)
    if spec.zero_init:
        bricks.zero_init_branches(network)
    return network


def _unit(
    spec: ResNeStSpec, channels: int, width: int, out_channels: int, stride: int, drop: Any
) -> Residual:
    """A bottleneck around split attention; a stride is taken by average pooling."""
    from collections import OrderedDict

    from torch import nn

    from residua import nn as bricks

    pool = {"pool": nn.AvgPool2d(3, stride, padding=1)} if stride > 1 else {}
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    parts["conv1"] = nn.Conv2d(channels, width, 1, bias=False)
    parts["norm1"] = nn.BatchNorm2d(width)
    parts["act1"] = nn.ReLU()
    parts |= pool if spec.pool_first else {}
    parts["conv2"] = bricks.SplitAttention(width, width, radix=spec.radix, cardinality=spec.cardinality)
    parts |= {} if spec.pool_first else pool
    parts["conv3"] = nn.Conv2d(width, out_channels, 1, bias=False)
    parts["norm3"] = nn.BatchNorm2d(out_channels)
    shortcut = None
    if stride > 1 or channels != out_channels:
        shortcut = bricks.Projection(channels, out_channels, stride, pool=True)
    return bricks.Residual(nn.Sequential(parts), shortcut, activation=nn.ReLU(), drop_path=drop)


def _row(name: str, depths: tuple[int, ...], stem_width: int = 64, **fields: Any) -> ResNeStSpec:
    return ResNeStSpec(name=name, depths=depths, stem_width=stem_width, **fields)


_NAMED = (
    _row("resnest14", (1, 1, 1, 1)),
    _row("resnest26", (2, 2, 2, 2)),
    _row("resnest50", (3, 4, 6, 3)),
    _row("resnest101", (3, 4, 23, 3), 128),
    _row("resnest200", (3, 24, 36, 3), 128),
    _row("resnest269", (3, 30, 48, 8), 128),
    # ablations of the reference implementation: radix, cardinality, base width
    _row("resnest50_fast_1s1x64d", (3, 4, 6, 3), pool_first=True, radix=1),
    _row("resnest50_fast_2s1x64d", (3, 4, 6, 3), pool_first=True),
    _row("resnest50_fast_4s2x40d", (3, 4, 6, 3), pool_first=True, radix=4, cardinality=2, base_width=40),
    _row("resnest50_fast_1s4x24d", (3, 4, 6, 3), pool_first=True, radix=1, cardinality=4, base_width=24),
    _row("resnest_tiny", (1, 1, 1), 16, widths=(8, 16, 32), stem="cifar", num_classes=10),
)

register(
    Family(
        name="resnest",
        spec_class=ResNeStSpec,
        build=build,
        named={spec.name: spec for spec in _NAMED},
        tiny="resnest_tiny",
    )
)
