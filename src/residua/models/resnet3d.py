"""3-D ResNets for clips and volumes (Tran et al. 2018, *A Closer Look at Spatiotemporal Convolutions*: R3D).

They are the image networks with every layer inflated: 3x3 becomes 3x3x3, and strides shorten clips as they shrink
maps. Importing this file imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from residua.models.slots import StemSpec
from residua.models.staged import StagedSpec, build
from residua.models.stems.cifar import CifarStemSpec
from residua.models.stems.imagenet import ClipStemSpec
from residua.models.units.bottleneck import BottleneckUnit
from residua.registry import Family, register


@dataclass(frozen=True, kw_only=True)
class ResNet3dSpec(StagedSpec):
    """A 3-D residual network of stages; with the small stem, clips and volumes keep their size."""

    family: str = "resnet3d"
    stem: StemSpec = ClipStemSpec()
    num_classes: int = 400  # Kinetics-400
    dims: int = 3


_NAMED = {
    spec.name: spec
    for spec in (
        ResNet3dSpec(name="r3d_18"),
        ResNet3dSpec(name="r3d_34", depths=(3, 4, 6, 3)),
        ResNet3dSpec(name="r3d_50", unit=BottleneckUnit(), depths=(3, 4, 6, 3)),
        ResNet3dSpec(name="r3d_small", depths=(2, 2, 2), widths=(16, 32, 64), stem=CifarStemSpec()),
        ResNet3dSpec(
            name="r3d_tiny",
            depths=(1, 1, 1),
            widths=(8, 16, 32),
            stem=CifarStemSpec(),
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
