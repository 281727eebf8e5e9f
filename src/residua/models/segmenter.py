"""Segmenters: a head for every pixel (Long et al. 2015; Chen et al. 2017) on a dilated residual classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from residua.errors import UsageError
from residua.models.backbone import BackboneSpec
from residua.registry import Family, register
from residua.registry import build as build_backbone

if TYPE_CHECKING:
    from residua.nn.dense_head import Segmenter


@dataclass(frozen=True, kw_only=True)
class SegmenterSpec(BackboneSpec):
    """A segmenter; ``output_stride`` is the backbone's, by dilation in its last stages."""

    family: str = "segmenter"
    backbone: str = "resnet50"
    output_stride: int = 8
    head: Literal["fcn", "aspp"] = "aspp"
    rates: tuple[int, ...] = (12, 24, 36)  # dilations of the ASPP head
    dropout: float = 0.1

    def validate(self) -> None:  # noqa: D102
        super().validate()
        if not 0 <= self.dropout < 1:
            raise UsageError(f"SegmenterSpec.dropout must be in [0, 1), not {self.dropout}")
        if any(rate < 1 for rate in self.rates):
            raise UsageError(f"SegmenterSpec.rates must be above 0, not {list(self.rates)}")

    def backbone_changes(self) -> dict[str, Any]:  # noqa: D102
        return {**super().backbone_changes(), "output_stride": self.output_stride}

    @property
    def depth(self) -> int:
        """Convolutions on the longest path: the backbone's, the head's, the classifier."""
        return self.backbone_spec.depth - 1 + {"fcn": 1, "aspp": 3}[self.head] + 1


def build(spec: SegmenterSpec) -> Segmenter:
    """The network of a spec, initialised from torch's default generator."""
    from residua.nn import he_init
    from residua.nn.dense_head import AsppHead, FcnHead, Segmenter
    from residua.nn.features import features

    classifier = build_backbone(spec.backbone_spec)
    last = features(classifier).levels[-1:]
    backbone = features(classifier, last)
    channels = backbone.channels[0]
    if spec.head == "aspp":
        head = AsppHead(channels, spec.width, spec.dropout, spec.rates)
    else:
        head = FcnHead(channels, spec.width, spec.dropout)
    network = Segmenter(spec, backbone, head)
    he_init(network.head)
    return network


_TINY = SegmenterSpec(
    name="segmenter_tiny",
    backbone="cifar_resnet8",
    output_stride=2,
    width=32,
    rates=(2, 4),
    num_classes=11,  # the background and ten digits
    in_channels=1,
)
_NAMED = (
    _TINY,
    _TINY.change(name="segmenter_tiny_plain", merge="branch_only"),
    SegmenterSpec(name="fcn_resnet50", head="fcn", width=512, num_classes=21),
    SegmenterSpec(name="fcn_resnet101", backbone="resnet101", head="fcn", width=512, num_classes=21),
    SegmenterSpec(name="deeplabv3_resnet50", width=256, dropout=0.5, num_classes=21),
    SegmenterSpec(name="deeplabv3_resnet101", backbone="resnet101", width=256, dropout=0.5, num_classes=21),
)

register(
    Family(
        name="segmenter",
        spec_class=SegmenterSpec,
        build=build,
        named={spec.name: spec for spec in _NAMED},
        task="segmentation",
        source="scenes:masks",
        recipe="scenes",
        tiny="segmenter_tiny",
        capabilities=frozenset({"export", "compile", "fx"}),
    )
)
