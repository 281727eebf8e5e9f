"""How the specs of families other than ResNets follow from tensors under residua's names.

Each function gives fields of a spec; a KeyError names the tensor that it needs and misses.
"""

from __future__ import annotations

import math
import re
from typing import Any

from residua.convert.layout import Assumption, Tensors
from residua.convert.resnets import infer_stages

HEADS = Assumption(note="attention taken with heads of 64 channels: tensors cannot tell how many there are")


def resnet3d(tensors: Tensors) -> dict[str, Any]:
    """Fields of a ResNet3dSpec."""
    fields = infer_stages(tensors)
    fields.pop("expansion", None)
    return fields | {"stem": "cifar" if tensors["stem.conv.weight"].shape[-1] == 3 else "clip"}


def densenet(tensors: Tensors) -> dict[str, Any]:
    """Fields of a DenseNetSpec."""
    stem, depths = tensors["stem.conv.weight"], _units(tensors)
    bottleneck = "stages.0.0.branch.conv2.weight" in tensors
    first = tensors["stages.0.0.branch.conv1.weight"]
    growth = len(tensors["stages.0.0.branch.conv2.weight"]) if bottleneck else len(first)
    transition = tensors["stages.1.transition.conv.weight"] if len(depths) > 1 else first
    return {
        "depths": depths,
        "growth_rate": growth,
        "width": len(stem),
        "bottleneck": len(first) // growth if bottleneck else 0,
        "compression": len(transition) / transition.shape[1] if len(depths) > 1 else 1.0,
        "stem": "cifar-conv" if stem.shape[-1] == 3 else "imagenet",
        **_ends(tensors, "stem.conv.weight"),
    }


def convnext(tensors: Tensors) -> dict[str, Any]:
    """Fields of a ConvNeXtSpec."""
    depths = _units(tensors)
    first = tensors["stages.0.0.branch.conv.weight"]
    hidden = len(tensors["stages.0.0.branch.fc1.weight"])
    return {
        "depths": depths,
        "widths": tuple(len(tensors[f"stages.{stage}.0.branch.conv.weight"]) for stage in range(len(depths))),
        "unit": {"kernel": first.shape[-1], "expansion": hidden // len(first)},
        "stem": {"patch": tensors["stem.conv.weight"].shape[-1]},
        **_ends(tensors, "stem.conv.weight"),
    }


def convnext_idle(spec: Any) -> frozenset[str]:
    """Options of a ConvNeXtSpec that change nothing: where a training starts."""
    return frozenset({"merge.start"})


def vgg(tensors: Tensors, depths: tuple[int, ...], norm: bool) -> dict[str, Any]:
    """Fields of a VGGSpec, of which the keys have told the stages."""
    first = ("stem.conv", *(f"stages.{stage}.conv1" for stage in range(1, len(depths))))
    widths = tuple(len(tensors[f"{name}.weight"]) for name in first)
    hidden = [tensors[f"head.pool.fc{index}.weight"] for index in (1, 2)]
    return {
        "depths": depths,
        "widths": widths,
        "norm": norm,
        "hidden": tuple(map(len, hidden)),
        "pool_size": math.isqrt(hidden[0].shape[1] // widths[-1]),
        **_ends(tensors, "stem.conv.weight"),
    }


def googlenet(tensors: Tensors) -> dict[str, Any]:
    """Fields of a GoogLeNetSpec; an Inception module's six widths are in the order of the paper's Table 1."""
    branches = ("branch1", "branch2.0", "branch2.1", "branch3.0", "branch3.1", "branch4.1")
    modules = tuple(
        tuple(
            tuple(len(tensors[f"stages.{stage}.{unit}.{branch}.conv.weight"]) for branch in branches)
            for unit in range(depth)
        )
        for stage, depth in enumerate(_units(tensors))
    )
    return {
        "modules": modules,
        "largest_kernel": tensors["stages.0.0.branch3.1.conv.weight"].shape[-1],
        "stem_width": len(tensors["stem.conv1.conv.weight"]),
        **_ends(tensors, "stem.conv1.conv.weight"),
    }


def resnest(tensors: Tensors) -> dict[str, Any]:
    """Fields of a ResNeStSpec."""
    depths = _units(tensors)
    split = tensors["stages.0.0.branch.conv2.conv.weight"]
    inner = [len(tensors[f"stages.{stage}.0.branch.conv1.weight"]) for stage in range(len(depths))]
    widths = [len(tensors[f"stages.{stage}.0.branch.conv3.weight"]) // 4 for stage in range(len(depths))]
    radix = len(split) // inner[0]
    cardinality = inner[0] // split.shape[1] // radix
    return {
        "depths": depths,
        "widths": tuple(widths),
        "radix": radix,
        "cardinality": cardinality,
        "base_width": 64 * inner[0] // (widths[0] * cardinality),
        "stem_width": len(tensors["stem.conv3.weight"]),
        "pool_first": (radix, cardinality) != (2, 1),
        **_ends(tensors, "stem.conv1.weight"),
    }


def vit(tensors: Tensors) -> dict[str, Any]:
    """Fields of a ViTSpec."""
    patch, positions = tensors["stem.patch.weight"], tensors["stem.positions"]
    return {
        "layers": sum(_units(tensors)),
        "width": len(patch),
        "heads": max(len(patch) // 64, 1),
        "mlp_ratio": len(tensors["stages.0.0.mlp.branch.mlp.fc1.weight"]) // len(patch),
        "patch": patch.shape[-1],
        "image_size": patch.shape[-1] * math.isqrt(positions.shape[1] - 1),
        **_ends(tensors, "stem.patch.weight"),
    }


def _ends(tensors: Tensors, stem: str) -> dict[str, int]:
    """What the first and the last layer tell."""
    return {"num_classes": len(tensors["head.fc.weight"]), "in_channels": tensors[stem].shape[1]}


def _units(tensors: Tensors) -> tuple[int, ...]:
    """Units of each stage."""
    found = [re.match(r"stages\.(\d+)\.(\d+)\.", name) for name in tensors]
    units = {(int(match[1]), int(match[2])) for match in found if match}
    stages = range(1 + max((stage for stage, _ in units), default=-1))
    return tuple(sum(stage == one for one, _ in units) for stage in stages)
