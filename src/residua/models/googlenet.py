"""GoogLeNet (Szegedy et al. 2015, *Going Deeper with Convolutions*), with batch norm and without auxiliary classifiers.

Inception modules are parallel branches that nothing goes round: they are no residual units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from residua.errors import UsageError
from residua.registry import Family, register
from residua.spec import ModelSpec, positive

if TYPE_CHECKING:
    from residua.nn import ImageClassifier

# Szegedy et al. 2015, Table 1: the columns #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj of stages 3 to 5
_MODULES = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)


@dataclass(frozen=True, kw_only=True)
class GoogLeNetSpec(ModelSpec):
    """Stages of Inception modules. ``modules`` has six widths for each, in the order of the paper's Table 1."""

    family: str = "googlenet"
    modules: tuple[tuple[tuple[int, ...], ...], ...] = _MODULES
    largest_kernel: int = 3  # 5 in the paper; 3 by an error that the published weights rely on
    stem: Literal["imagenet", "cifar"] = "imagenet"
    stem_width: int = 64  # the stem gives three times as many channels
    dropout: float = 0.2  # before the fully connected layer; 0.4 in the paper
    drop_path: float = 0.0  # for the keyword's sake: only 0 makes sense

    def validate(self) -> None:  # noqa: D102
        super().validate()
        positive(self, "stem_width", "largest_kernel")
        modules = [module for stage in self.modules for module in stage]
        if not self.modules or not all(self.modules):
            raise UsageError("every stage needs an Inception module")
        if any(len(module) != 6 or min(module) < 1 for module in modules):
            raise UsageError(
                "an Inception module has six widths above 0: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool"
            )
        if self.largest_kernel % 2 == 0:
            raise UsageError(f"largest_kernel must be odd, not {self.largest_kernel}")
        if not 0 <= self.dropout < 1:
            raise UsageError(f"dropout must be in [0, 1), not {self.dropout}")
        if self.drop_path:
            raise UsageError("a GoogLeNet has no shortcut to fall back on: drop_path must be 0")

    @property
    def depth(self) -> int:
        """Layers with parameters on the longest way, as the paper counts: an Inception module is two layers."""
        return {"imagenet": 3, "cifar": 1}[self.stem] + 2 * sum(map(len, self.modules)) + 1

    @property
    def out_widths(self) -> tuple[int, ...]:
        """Channels that each stage gives."""
        return tuple(sum(stage[-1][i] for i in (0, 2, 4, 5)) for stage in self.modules)

    @property
    def usual_input(self) -> tuple[int, int, int]:
        """Shape (C, H, W): 224 px with the ImageNet stem, 32 with the other."""
        side = {"imagenet": 224, "cifar": 32}[self.stem]
        return self.in_channels, side, side


def build(spec: GoogLeNetSpec) -> ImageClassifier:
    """The network of a spec, initialised after He et al. from torch's default generator."""
    from collections import OrderedDict

    from torch import nn

    from residua import nn as bricks

    channels = 3 * spec.stem_width
    stem = (
        bricks.InceptionStem(spec.in_channels, spec.stem_width)
        if spec.stem == "imagenet"
        else bricks.CifarStem(spec.in_channels, channels)
    )
    stages = []
    for index, modules in enumerate(spec.modules):
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        if index:  # 3x3 in the paper before the last stage too; torchvision pools 2x2 there
            last = index == len(spec.modules) - 1
            parts["pool"] = nn.MaxPool2d(2 if last else 3, 2, ceil_mode=True)
        for number, widths in enumerate(modules):
            inception = bricks.Inception(channels, widths, largest_kernel=spec.largest_kernel)
            parts[f"{number}"], channels = inception, inception.out_channels
        stages.append(bricks.Chain(parts))
    network = bricks.ImageClassifier(
        spec=spec,
        stem=stem,
        stem_reduction=stem.reduction,
        stages=stages,
        widths=spec.out_widths,
        strides=(1,) + (2,) * (len(stages) - 1),
        head=bricks.hidden_head(channels, spec.num_classes, dropout=spec.dropout),
    )
    bricks.he_init(network)
    return network


_TINY = ((16, 16, 24, 4, 8, 16), (24, 16, 32, 8, 16, 24))
_NAMED = (
    GoogLeNetSpec(name="googlenet"),
    GoogLeNetSpec(name="googlenet_5x5", largest_kernel=5),
    GoogLeNetSpec(name="cifar_googlenet", stem="cifar", num_classes=10),
    GoogLeNetSpec(
        name="googlenet_tiny", modules=tuple((m,) for m in _TINY), stem="cifar", stem_width=8, num_classes=10
    ),
)

register(
    Family(
        name="googlenet",
        spec_class=GoogLeNetSpec,
        build=build,
        named={spec.name: spec for spec in _NAMED},
        tiny="googlenet_tiny",
    )
)
