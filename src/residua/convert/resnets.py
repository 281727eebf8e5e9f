"""What the ResNets of every library have in common: how their spec follows from their tensors."""

from __future__ import annotations

import re
from typing import Any

from residua.convert.layout import Assumption, Tensors

FAMILIES = ("resnet", "resnext", "wide_resnet")  # one spec, three names
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
    stem = tensors["stem.conv.weight"]
    fields = infer_stages(tensors) | {"stem": "cifar" if stem.shape[-1] == 3 else "imagenet"}
    if not is_bottleneck(tensors):
        wide = len(stem) != fields["widths"][0]
        return fields | ({"family": "wide_resnet", "stem_width": len(stem)} if wide else {"family": "resnet"})
    grouped = tensors["stages.0.0.branch.conv2.weight"]
    cardinality, inner = len(grouped) // grouped.shape[1], len(grouped)
    if cardinality > 1 or inner != fields["widths"][0]:
        fields |= {"cardinality": cardinality, "path_width": inner // cardinality}
    families = {(True, True): "resnext", (False, True): "wide_resnet"}
    return fields | {"family": families.get((cardinality > 1, "path_width" in fields), "resnet")}


def infer_squeezed(tensors: Tensors) -> dict[str, Any]:
    """Fields of a ResNetSpec whose branches stand inside a gate."""
    fields = infer_resnet({name.replace(".branch.branch.", ".branch."): one for name, one in tensors.items()})
    of = {"kind": fields.pop("unit")}
    of |= {name: fields.pop(name) for name in ("expansion", "cardinality", "path_width") if name in fields}
    return fields | {"family": "seresnet", "unit": {"kind": "squeezed", "of": of}}


def is_gated_bottleneck(tensors: Tensors) -> bool:
    """As ``is_bottleneck``, of a unit inside a gate."""
    return "stages.0.0.branch.branch.conv3.weight" in tensors


def infer_stages(tensors: Tensors) -> dict[str, Any]:
    """The fields that ResNets of two and of three dimensions share."""
    found = [re.match(r"stages\.(\d+)\.(\d+)\.", name) for name in tensors]
    units = sorted({(int(match[1]), int(match[2])) for match in found if match})
    stages = range(1 + max((stage for stage, _ in units), default=0))
    bottleneck = is_bottleneck(tensors)
    last = "conv3" if bottleneck else "conv2"
    given = [len(tensors[f"stages.{stage}.0.branch.{last}.weight"]) for stage in stages]
    stem = tensors["stem.conv.weight"]
    fields = {
        "unit": "bottleneck" if bottleneck else "basic",
        "depths": tuple(sum(stage == one for one, _ in units) for stage in stages),
        "widths": tuple(given),
        "num_classes": len(tensors["head.fc.weight"]),
        "in_channels": stem.shape[1],
    }
    if bottleneck:  # the stem has the first stage's width, whatever the 3x3s have
        fields["expansion"] = given[0] // len(stem)
        fields["widths"] = tuple(channels // fields["expansion"] for channels in given)
    projected = {place for place in units if f"stages.{place[0]}.{place[1]}.shortcut.conv.weight" in tensors}
    if projected:
        fields["shortcut"] = "C" if any(_keeps_shape(tensors, *place) for place in projected) else "B"
    return fields


def _keeps_shape(tensors: Tensors, stage: int, unit: int) -> bool:
    """Whether a projection stands where option B has none; every stage but the first one halves the map."""
    projection = tensors[f"stages.{stage}.{unit}.shortcut.conv.weight"]
    return unit > 0 or (stage == 0 and projection.shape[0] == projection.shape[1])


def idle_fields(spec: Any) -> frozenset[str]:
    """Options of a ResNetSpec that change nothing."""
    idle = {"merge.bias"}  # where a training starts
    if spec.stem.width in (None, spec.widths[0]):
        idle |= {"stem.width"}
    return frozenset(idle)


def pattern_names(spec: Any) -> tuple[str, ...]:
    """Names that the registry knows as a pattern only."""
    if spec.family == "resnext":
        paths = f"{spec.unit.cardinality}x{spec.unit.path_width}d"
        return (f"resnext{spec.depth}_{paths}", f"cifar_resnext{spec.depth}_{paths}")
    return (f"cifar_resnet{spec.depth}", f"cifar_preact_resnet{spec.depth}")
