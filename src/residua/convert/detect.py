"""Find out what network a foreign checkpoint is, out of its keys and shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from residua.convert.akamaster import AKAMASTER
from residua.convert.library import Library
from residua.convert.tensors import read_any
from residua.convert.torchvision import TORCHVISION
from residua.errors import ResiduaError, UsageError
from residua.models.resnet import ResNetSpec
from residua.models.weights import Weights
from residua.registry import build, model_spec

LIBRARIES = (AKAMASTER, TORCHVISION)


def read_foreign(path: Path) -> Weights:
    """Read another library's checkpoint: residua's tensor names, the spec found, what is known of its images.

    ``Weights.data`` gets ``"library"`` and ``"notes"`` (lines that say what was assumed, where tensors cannot
    tell), and if they are known ``"shape"`` (C, H, W), ``"mean"``, ``"std"`` and ``"classes"``.

    Raises ResiduaError, one line, for a file that cannot be read or whose network is not known.
    """
    tensors = read_any(path)
    for library in LIBRARIES:
        names = library.rename(tensors)
        if names is not None:
            return _convert(path, library, {new: tensors[old] for old, new in names.items()})
    looked_for = "; ".join(f"{library.name} ({library.looks})" for library in LIBRARIES)
    raise ResiduaError(f"{path} is of no network known here: looked for {looked_for}; found {_few(tensors)}")


def _convert(path: Path, library: Library, tensors: dict[str, Tensor]) -> Weights:
    try:
        spec = _infer(tensors, library)
        with torch.device("meta"):
            wanted = build(spec).state_dict()
    except KeyError as error:
        raise ResiduaError(f"{path} looks like {library.name}'s, but has no {error.args[0]}") from error
    except (ArithmeticError, IndexError, RuntimeError, TypeError, ValueError) as error:
        raise ResiduaError(f"{path} looks like {library.name}'s, but is no ResNet: {error}") from error
    for name in wanted:
        if name.endswith("num_batches_tracked"):  # older torch did not store it; its value changes no output
            tensors.setdefault(name, torch.zeros((), dtype=torch.int64))
    wrong = [
        f"{name} is {_shape(tensors.get(name))}, should be {_shape(wanted.get(name))}"
        for name in [*wanted, *(name for name in tensors if name not in wanted)]
        if _shape(tensors.get(name)) != _shape(wanted.get(name))
    ]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise ResiduaError(
            f"{path} looks like {library.name}'s, but its tensors do not fit: {wrong[0]}{more}"
        )
    own = {name: tensors[name].to(wanted[name].dtype) for name in wanted}
    return Weights(own, spec, library.data(spec.num_classes, spec.in_channels))


def _infer(tensors: Mapping[str, Tensor], library: Library) -> ResNetSpec:
    """The spec out of residua's tensor names; a KeyError names the tensor that it needs and misses."""
    found = [re.match(r"stages\.(\d+)\.(\d+)\.", name) for name in tensors]
    units = sorted({(int(match[1]), int(match[2])) for match in found if match})
    stages = sorted({stage for stage, _ in units})
    first = [tensors[f"stages.{stage}.0.branch.conv1.weight"] for stage in range(len(stages))]
    widths = tuple(len(weight) for weight in first)
    bottleneck = "stages.0.0.branch.conv3.weight" in tensors
    projected = [f"stages.{stage}.{unit}.shortcut.conv.weight" in tensors for stage, unit in units]
    fields = {
        "unit": "bottleneck" if bottleneck else "basic",
        "depths": tuple(sum(stage == one for one, _ in units) for stage in stages),
        "widths": widths,
        "stem": library.stem,
        "num_classes": len(tensors["head.fc.weight"]),
        "in_channels": tensors["stem.conv.weight"].shape[1],
    }
    if bottleneck:
        fields["expansion"] = len(tensors["stages.0.0.branch.conv3.weight"]) // widths[0]
    fields |= library.assumed
    if any(projected):
        fields["shortcut"] = "C" if all(projected) else "B"
    return _named(ResNetSpec(**fields))


def _named(spec: ResNetSpec) -> ResNetSpec:
    """The spec under the name of the network that it is, whatever its classes, channels and shortcut."""
    for prefix in ("resnet", "cifar_resnet"):
        try:
            known = model_spec(f"{prefix}{spec.depth}")
        except UsageError:
            continue
        same = {key: getattr(spec, key) for key in ("num_classes", "in_channels", "shortcut")}
        if known.change(**same, name=spec.name) == spec:
            return spec.change(name=known.name)
    return spec


def _shape(tensor: Tensor | None) -> str:
    return "missing" if tensor is None else str(list(tensor.shape))


def _few(names: Mapping[str, Any]) -> str:
    listed = list(names)
    return ", ".join(name[:60] for name in listed[:4]) + (
        f", ... ({len(listed)} tensors)" if len(listed) > 4 else ""
    )
