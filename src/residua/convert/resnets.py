"""What the ResNets of every library have in common: how their spec follows from their tensors."""

from __future__ import annotations

import re
from typing import Any

from residua.convert.layout import Assumption, Tensors

# keys of a unit in the original order, ours beside those of torchvision and its many relatives
UNIT = {
    "stages.{s}.{u}.branch.conv{k}.{p}": "layer{s+1}.{u}.conv{k}.{p}",
    "stages.{s}.{u}.branch.norm{k}.{p}": "layer{s+1}.{u}.bn{k}.{p}",
}
STEM = {"stem.conv.{p}": "conv1.{p}", "stem.norm.{p}": "bn1.{p}"}


def is_bottleneck(tensors: Tensors) -> bool:
    """Whether tensors under residua's names are of bottleneck units."""
    return "stages.0.0.branch.conv3.weight" in tensors


def is_projected(tensors: Tensors) -> bool:
    """Whether any shortcut has a projection."""
    return any(name.endswith(".shortcut.conv.weight") for name in tensors)


STRIDE_ON = Assumption(
    value="3x3",
    note="bottlenecks taken as v1.5 (stride on the 3x3): keys and shapes cannot tell v1 from v1.5",
    open=is_bottleneck,
)


def infer_resnet(tensors: Tensors) -> dict[str, Any]:
    """Fields of a ResNetSpec out of residua's tensor names; a KeyError names the tensor that it needs and misses."""
    found = [re.match(r"stages\.(\d+)\.(\d+)\.", name) for name in tensors]
    units = sorted({(int(match[1]), int(match[2])) for match in found if match})
    stages = sorted({stage for stage, _ in units})
    if not stages:
        raise KeyError("stages.0.0.branch.conv1.weight")
    first = [tensors[f"stages.{stage}.0.branch.conv1.weight"] for stage in range(len(stages))]
    fields = {
        "unit": "bottleneck" if is_bottleneck(tensors) else "basic",
        "depths": tuple(sum(stage == one for one, _ in units) for stage in stages),
        "widths": tuple(len(weight) for weight in first),
        "stem": "cifar" if tensors["stem.conv.weight"].shape[-1] == 3 else "imagenet",
        "num_classes": len(tensors["head.fc.weight"]),
        "in_channels": tensors["stem.conv.weight"].shape[1],
    }
    if is_bottleneck(tensors):
        fields["expansion"] = len(tensors["stages.0.0.branch.conv3.weight"]) // len(first[0])
    projected = {place for place in units if f"stages.{place[0]}.{place[1]}.shortcut.conv.weight" in tensors}
    if projected:
        fields["shortcut"] = "C" if any(_keeps_shape(tensors, *place) for place in projected) else "B"
    return fields


def _keeps_shape(tensors: Tensors, stage: int, unit: int) -> bool:
    """Whether a projection stands where option B has none; every stage but the first one halves the map."""
    projection = tensors[f"stages.{stage}.{unit}.shortcut.conv.weight"]
    return unit > 0 or (stage == 0 and projection.shape[0] == projection.shape[1])


def idle_fields(spec: Any) -> frozenset[str]:
    """Fields that only bottlenecks have."""
    return frozenset({"expansion", "stride_on"} if spec.unit == "basic" else ())


def pattern_names(spec: Any) -> tuple[str, ...]:
    """Names that the registry knows as a pattern only."""
    return (f"cifar_resnet{spec.depth}", f"cifar_preact_resnet{spec.depth}")
