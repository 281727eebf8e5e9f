"""3-D ResNets for clips and volumes (Tran et al. 2018, *A Closer Look at Spatiotemporal Convolutions*: R3D).

They are the image networks with every layer inflated: 3x3 becomes 3x3x3, and strides shorten clips as they shrink
maps. Importing this file imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from residua.errors import UsageError
from residua.registry import Family, register
from residua.spec import ModelSpec

if TYPE_CHECKING:
    from residua.nn import Chain, ImageClassifier

# unit: convolutions, channels given for each of its width
_UNITS = {"basic": (2, 1), "bottleneck": (3, 4)}


@dataclass(frozen=True, kw_only=True)
class ResNet3dSpec(ModelSpec):
    """A 3-D residual network of stages. ``depths`` counts units, ``widths`` the branches' 3x3x3 channels."""

    repeats: ClassVar[str] = "depths"

    family: str = "resnet3d"
    unit: Literal["basic", "bottleneck"] = "basic"
    depths: tuple[int, ...] = (2, 2, 2, 2)
    widths: tuple[int, ...] = (64, 128, 256, 512)
    stem: Literal["clip", "cifar"] = "clip"  # cifar: 3x3x3, small clips and volumes keep their size
    shortcut: Literal["A", "B", "C"] = "B"
    num_classes: int = 400  # Kinetics-400
    drop_path: float = 0.0
    drop_path_rule: Literal["linear", "uniform"] = "linear"
    drop_path_mode: Literal["sample", "batch"] = "sample"

    def validate(self) -> None:  # noqa: D102
        super().validate()
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

    @property
    def depth(self) -> int:
        """Convolutions on the main path and the fully connected layer."""
        return sum(self.depths) * _UNITS[self.unit][0] + 2

    @property
    def out_widths(self) -> tuple[int, ...]:
        """Channels that each stage gives."""
        return tuple(width * _UNITS[self.unit][1] for width in self.widths)

    @property
    def usual_input(self) -> tuple[int, int, int, int]:
        """Shape (C, D, H, W): 16 frames of 112 px as in the paper (sec. 4.1), or 8 of 16 px with the small stem."""
        return (self.in_channels, 16, 112, 112) if self.stem == "clip" else (self.in_channels, 8, 16, 16)

    @property
    def strides(self) -> tuple[int, ...]:
        """Stride of each stage, in time and space."""
        return (1,) + (2,) * (len(self.widths) - 1)


def build(spec: ResNet3dSpec) -> ImageClassifier:
    """The network of a spec, initialised after He et al. from torch's default generator."""
    from torch import nn

    from residua import nn as bricks

    layers = {"basic": bricks.basic_layers, "bottleneck": bricks.bottleneck_layers}[spec.unit]
    stem: bricks.ClipStem | bricks.CifarStem
    stem = {"clip": bricks.ClipStem, "cifar": bricks.CifarStem}[spec.stem](spec.in_channels, spec.widths[0])
    rates = iter(bricks.drop_path_rates(spec.drop_path_rule, spec.drop_path, sum(spec.depths)))
    stages: list[Chain] = []
    channels = spec.widths[0]
    for depth, width, out_channels, stride in zip(
        spec.depths, spec.widths, spec.out_widths, spec.strides, strict=True
    ):
        stage = bricks.Chain()
        for step in (stride, *(1,) * (depth - 1)):
            stage.append(
                bricks.Residual(
                    bricks.conv_branch(layers(width, step), channels),
                    bricks.make_shortcut(spec.shortcut, channels, out_channels, step),
                    activation=nn.ReLU(),
                    drop_path=bricks.DropPath(next(rates), spec.drop_path_mode),
                )
            )
            channels = out_channels
        stages.append(stage)
    network = bricks.ImageClassifier(
        spec=spec,
        stem=stem,
        stem_reduction=stem.reduction,
        stages=stages,
        widths=spec.out_widths,
        strides=spec.strides,
        dims=3,
    )
    bricks.inflate(network)
    bricks.he_init(network)
    return network


_NAMED = {
    spec.name: spec
    for spec in (
        ResNet3dSpec(name="r3d_18"),
        ResNet3dSpec(name="r3d_34", depths=(3, 4, 6, 3)),
        ResNet3dSpec(name="r3d_50", unit="bottleneck", depths=(3, 4, 6, 3)),
        ResNet3dSpec(name="r3d_small", depths=(2, 2, 2), widths=(16, 32, 64), stem="cifar"),
        ResNet3dSpec(
            name="r3d_tiny",
            depths=(1, 1, 1),
            widths=(8, 16, 32),
            stem="cifar",
            in_channels=1,
            num_classes=8,
        ),
    )
}

register(
    Family(
        name="resnet3d",
        spec_class=ResNet3dSpec,
        build=build,
        named=_NAMED,
        source="moving-digits",
        tiny="r3d_tiny",
    )
)
