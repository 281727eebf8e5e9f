"""Detectors: an anchor-free head (Tian et al. 2019) on a feature pyramid (Lin et al. 2017) of a residual classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from residua.errors import UsageError
from residua.models.backbone import BackboneSpec
from residua.registry import Family, register
from residua.registry import build as build_backbone
from residua.spec import positive

if TYPE_CHECKING:
    from residua.nn.anchor_free import Detector


@dataclass(frozen=True, kw_only=True)
class DetectorSpec(BackboneSpec):
    """A detector; ``levels`` are the backbone's, the last stage's among them."""

    family: str = "detector"
    backbone: str = "resnet50"
    levels: tuple[int, ...] = (3, 4, 5)
    top: Literal["none", "pool", "conv"] = "conv"  # P6, or P6 and P7
    tower: int = 4  # convolutions of each of the head's two towers
    reach: float = 8.0  # a level finds boxes whose farthest side is up to so many of its strides away

    def validate(self) -> None:  # noqa: D102
        super().validate()
        positive(self, "reach")
        if self.tower < 0:
            raise UsageError(f"DetectorSpec.tower cannot be negative, not {self.tower}")

    @property
    def depth(self) -> int:
        """Convolutions on the longest path: the backbone's, two of the pyramid, those of its top, the head's."""
        return self.backbone_spec.depth - 1 + 2 + (2 if self.top == "conv" else 0) + self.tower + 1


def build(spec: DetectorSpec) -> Detector:
    """The network of a spec, initialised from torch's default generator."""
    from residua.nn.anchor_free import AnchorFreeHead, Detector
    from residua.nn.features import features
    from residua.nn.fpn import FeaturePyramid

    backbone = features(build_backbone(spec.backbone_spec), spec.levels)
    pyramid = FeaturePyramid(backbone, spec.width, top=spec.top)
    return Detector(spec, pyramid, AnchorFreeHead(spec.width, spec.tower, spec.num_classes))


_TINY = DetectorSpec(
    name="detector_tiny",
    backbone="cifar_resnet8",
    levels=(3, 4),
    top="none",
    width=32,
    tower=2,
    reach=4,
    num_classes=10,
    in_channels=1,
)
_NAMED = (
    _TINY,
    _TINY.change(name="detector_tiny_plain", merge="branch_only"),
    DetectorSpec(name="fcos_resnet50_fpn", num_classes=91),
    DetectorSpec(name="fcos_resnet101_fpn", backbone="resnet101", num_classes=91),
)

register(
    Family(
        name="detector",
        spec_class=DetectorSpec,
        build=build,
        named={spec.name: spec for spec in _NAMED},
        task="detection",
        source="scenes:boxes",
        recipe="scenes",
        tiny="detector_tiny",
        # torch.fx cannot follow the locations of maps of any size
        capabilities=frozenset({"export", "compile"}),
    )
)
