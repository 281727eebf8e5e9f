"""The layout of a popular write-up: one Sequential ``stacklayers`` of blocks, ``convlayers`` inside each of them.

Its max-pool has no padding (55x55 maps of 224x224 images, the paper's 56x56), and it projects only where channels
change, which is option B. Blocks may be nested by stage or stand in one row, convolutions may have biases: the
structure is read from the shapes, and what it is called is put as torchvision calls it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from residua.convert import resnets, torchvision
from residua.convert.layout import Tensors

_BLOCK = re.compile(r"(?P<block>.*stacklayers\.[0-9.]*[0-9])\.(?P<inside>.+)")


def _infer(tensors: Tensors) -> dict[str, Any]:
    return resnets.infer_resnet(tensors) | {"stem": "imagenet-unpadded"}


def _prepare(tensors: Tensors) -> Tensors | None:
    """The tensors under torchvision's names; None if they are of another layout."""
    blocks: dict[str, dict[str, Tensor]] = {}
    outside: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        match = _BLOCK.fullmatch(name)
        if match is None:
            outside[name] = tensor
        else:
            blocks.setdefault(match["block"], {})[match["inside"]] = tensor
    if not blocks or not all(any("convlayers." in name for name in block) for block in blocks.values()):
        return None
    renamed = _layers(outside, ["conv1"], ["bn1"], ["fc"])
    stage, unit, width = 0, -1, 0
    for _, block in sorted(blocks.items(), key=lambda item: _natural(item[0])):
        branch = {name: one for name, one in block.items() if "convlayers." in name}
        convolutions = [one for one in branch.values() if one.ndim == 4]
        given = len(convolutions[0]) if convolutions else 0
        stage, unit = (stage + 1, 0) if given != width else (stage, unit + 1)
        width = given
        layers = range(1, len(convolutions) + 1)
        names = _layers(branch, [f"conv{k}" for k in layers], [f"bn{k}" for k in layers])
        shortcut = {name: one for name, one in block.items() if name not in branch}
        names |= _layers(shortcut, ["downsample.0"], ["downsample.1"])
        renamed |= {f"layer{stage}.{unit}.{name}": one for name, one in names.items()}
    return renamed


def _layers(
    tensors: Tensors, convolutions: Sequence[str], norms: Sequence[str], matrices: Sequence[str] = ()
) -> dict[str, Tensor]:
    """Layers under other names, each kind in its order; what is too many keeps its name, which nobody knows.

    A bias before a norm is taken off the norm's running mean, where it changes nothing either.
    """
    modules: dict[str, dict[str, Tensor]] = {}
    for name in sorted(tensors, key=_natural):
        module, _, leaf = name.rpartition(".")
        modules.setdefault(module, {})[leaf] = tensors[name]
    kinds: dict[int, list[str]] = {4: [], 2: [], 1: []}  # by the dimensions of a weight
    for module, parts in modules.items():
        if "weight" in parts:
            kinds.get(parts["weight"].ndim, []).append(module)
    for convolution, norm in zip(kinds[4], kinds[1], strict=False):
        if "bias" in modules[convolution]:
            modules[norm]["running_mean"] = modules[norm]["running_mean"] - modules[convolution].pop("bias")
    names = {4: convolutions, 2: matrices, 1: norms}
    today = {old: new for kind, found in kinds.items() for old, new in zip(found, names[kind], strict=False)}
    return {
        f"{today.get(module, module)}.{leaf}": one
        for module, parts in modules.items()
        for leaf, one in parts.items()
    }


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


BLOG = replace(
    torchvision.RESNET,
    library="the blog layout",
    families=("resnet",),
    prepare=_prepare,
    infer=_infer,
    notes=(
        "the max-pool taken without padding, as its code has it: 55x55 maps of 224x224 images",
        *torchvision.NORMALISED,
    ),
    read_only=True,
)
