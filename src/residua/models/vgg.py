"""VGG (Simonyan and Zisserman 2015), the plain network that the residual literature compares itself with.

It has no residual units, and so nothing that stochastic depth could drop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from residua.errors import UsageError
from residua.registry import Family, register
from residua.spec import ModelSpec, positive

if TYPE_CHECKING:
    from collections import OrderedDict

    from torch import nn

    from residua.nn import ImageClassifier


@dataclass(frozen=True, kw_only=True)
class VGGSpec(ModelSpec):
    """Stages of 3x3 convolutions, each with a max-pool at its end. ``depths`` counts the convolutions."""

    family: str = "vgg"
    depths: tuple[int, ...] = (2, 2, 3, 3, 3)
    widths: tuple[int, ...] = (64, 128, 256, 512, 512)
    norm: bool = False  # batch norm after every convolution: not in the paper, as every later library has it
    pool_size: int = 7  # the maps are pooled to pool_size x pool_size pixels; 1: global pooling
    hidden: tuple[int, ...] = (4096, 4096)  # fully connected layers before the last one
    dropout: float = 0.5  # after every hidden layer, or before the last layer where there is none
    drop_path: float = 0.0  # for the keyword's sake: only 0 makes sense

    def validate(self) -> None:  # noqa: D102
        super().validate()
        positive(self, "pool_size")
        if not self.depths or len(self.depths) != len(self.widths):
            raise UsageError(
                f"depths and widths must be equally long and not empty: {list(self.depths)}, {list(self.widths)}"
            )
        if min(self.depths) < 1 or min(self.widths + self.hidden) < 1:
            raise UsageError(
                f"every stage needs a layer, every layer a channel: {list(self.depths)}, "
                f"{list(self.widths)}, {list(self.hidden)}"
            )
        if not 0 <= self.dropout < 1:
            raise UsageError(f"dropout must be in [0, 1), not {self.dropout}")
        if self.drop_path:
            raise UsageError("a VGG has no shortcut to fall back on: drop_path must be 0")

    @property
    def depth(self) -> int:
        """Convolutions and fully connected layers."""
        return sum(self.depths) + len(self.hidden) + 1

    @property
    def usual_input(self) -> tuple[int, int, int]:
        """Shape (C, H, W): 224 px as in the paper; 32 where the maps are pooled globally."""
        side = 32 if self.pool_size == 1 else 224
        return self.in_channels, side, side


def build(spec: VGGSpec) -> ImageClassifier:
    """The network of a spec, initialised after He et al. from torch's default generator.

    The stem is the first convolution, so that every network has one place where other input channels go.
    """
    from collections import OrderedDict

    from torch import nn

    from residua import nn as bricks

    stem = nn.Sequential(_layer(spec, spec.in_channels, spec.widths[0]))
    stages, channels = [], spec.widths[0]
    for stage, (depth, width) in enumerate(zip(spec.depths, spec.widths, strict=True)):
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        for index in range(1 if stage == 0 else 0, depth):
            parts |= _layer(spec, channels, width, f"{index + 1}")
            channels = width
        parts["pool"] = nn.MaxPool2d(2)
        stages.append(bricks.Chain(parts))
    network = bricks.ImageClassifier(
        spec=spec,
        stem=stem,
        stem_reduction=1,
        stages=stages,
        widths=spec.widths,
        strides=(2,) * len(stages),
        head=bricks.hidden_head(channels, spec.num_classes, spec.pool_size, spec.hidden, spec.dropout),
    )
    bricks.he_init(network)
    return network


def _layer(
    spec: VGGSpec, in_channels: int, out_channels: int, index: str = ""
) -> OrderedDict[str, nn.Module]:
    from collections import OrderedDict

    from torch import nn

    parts: OrderedDict[str, nn.Module] = OrderedDict()
    # with a norm the bias is superfluous; it stays, because every published checkpoint has it
    parts[f"conv{index}"] = nn.Conv2d(in_channels, out_channels, 3, padding=1)
    if spec.norm:
        parts[f"norm{index}"] = nn.BatchNorm2d(out_channels)
    parts[f"act{index}"] = nn.ReLU()
    return parts


# Simonyan and Zisserman 2015, Table 1: configurations A, B, D, E
_DEPTHS: dict[int, tuple[int, ...]] = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}


def _named() -> dict[str, VGGSpec]:
    specs = [
        VGGSpec(
            name="vgg_tiny",
            depths=(1, 1, 2),
            widths=(16, 32, 64),
            norm=True,
            pool_size=1,
            hidden=(),
            dropout=0.0,
            num_classes=10,
        )
    ]
    for depth, depths in _DEPTHS.items():
        for norm, suffix in ((False, ""), (True, "_bn")):
            vgg = VGGSpec(name=f"vgg{depth}{suffix}", depths=depths, norm=norm)
            # for 32 px: one pixel is left, and one fully connected layer
            cifar = vgg.change(name=f"cifar_{vgg.name}", pool_size=1, hidden=[], dropout=0, num_classes=10)
            specs += [vgg, cifar]
    return {spec.name: spec for spec in specs}


register(Family(name="vgg", spec_class=VGGSpec, build=build, named=_named(), tiny="vgg_tiny"))
