"""Write a network for another library: under its names, and only where its code computes the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from residua.convert.detect import COUNTER, read_as
from residua.convert.layout import Layout
from residua.convert.layouts import LAYOUTS, libraries, written
from residua.convert.naming import TRAINING_ONLY, differences
from residua.errors import ResiduaError, UsageError, nearest
from residua.files import write_atomic
from residua.weights.model_files import Weights, save_tensors

OWN = "residua"
SUFFIXES = (".safetensors", ".pth", ".pt", ".th")
_READING = frozenset({"library", "notes", "counters"})  # what read_foreign says of a file, not of its images


def write_weights(path: Path, weights: Weights, library: str) -> None:
    """Write a network as ``library`` (or ``"residua"``) would have saved it, atomically.

    A ``.safetensors`` file also says what is known of the images; ``.pth``, ``.pt`` and ``.th`` hold a plain state
    dict. Raises UsageError for an unknown library or suffix, and where the library's network would compute something
    else; ResiduaError if the disk refuses.
    """
    if path.suffix not in SUFFIXES:
        raise UsageError(f"{path}: the name of a weight file ends with {', '.join(SUFFIXES)}")
    if library == OWN and path.suffix != ".safetensors":
        raise UsageError(f"{path}: residua's own weights hold their spec, and so are .safetensors")
    tensors: dict[str, Tensor] = weights.tensors if library == OWN else to_library(weights, library)
    if path.suffix == ".safetensors":
        about: dict[str, Any] = {"schema": 1, "data": weights.data}
        if library == OWN:
            about["spec"] = weights.spec.to_dict()
        else:
            about["data"] = {key: value for key, value in weights.data.items() if key not in _READING}
        save_tensors(path, tensors, about)
    else:
        write_atomic(path, lambda temporary: _save(tensors, temporary, path))


def _save(tensors: dict[str, Tensor], temporary: Path, path: Path) -> None:
    try:
        torch.save(tensors, temporary)
    except RuntimeError as error:  # how torch reports a full disk
        raise ResiduaError(f"cannot write {path}: {error}") from error


def to_library(weights: Weights, library: str) -> dict[str, Tensor]:
    """The tensors of a network under another library's names, as its own code loads them.

    Raises UsageError with the reason if the library has no such network.
    """
    if library not in written():
        raise UsageError(f"unknown library {library!r}{nearest(library, [OWN, *written()])}")
    reasons = []
    for layout in LAYOUTS:
        if layout.library == library and weights.spec.family in layout.families:
            try:
                return _write_as(layout, weights)
            except UsageError as error:
                reasons.append(str(error))
    reason = " or ".join(reasons) or f"its families are {', '.join(libraries()[library])}"
    raise UsageError(f"{library} has no {weights.spec.name} of this kind: {reason}")


def _write_as(layout: Layout, weights: Weights) -> dict[str, Tensor]:
    """Raises UsageError that says how the library's network differs."""
    spec: Any = weights.spec
    here = spec.flat()
    for name, value in layout.fixed.items():
        allowed = value if isinstance(value, frozenset) else {value}
        if name in here and here[name] not in allowed and name not in layout.idle(spec):
            raise UsageError(f"{name} is {_shown(value)} there, here {_shown(here[name])}")
    if here.get("drop_path.rate") and here["drop_path.mode"] == "batch":
        raise UsageError(
            "no other library scales branches at test time, as drop_path.mode='batch' does (Huang et al. 2016)"
        )
    if not spec.num_classes:
        raise UsageError("its networks have a classifier, here num_classes is 0")
    try:
        names = layout.foreign(weights.tensors)
    except KeyError as error:
        raise UsageError(f"it has no place for {error.args[0]}") from error
    tensors = {}
    for name, tensor in weights.tensors.items():
        if not (weights.data.get("counters") is False and name.endswith(COUNTER) and not tensor.any()):
            tensors[names[name]] = layout.there(name, tensor)
    try:
        again = read_as(layout, tensors)
    except ResiduaError as error:
        raise UsageError(str(error)) from error
    if again is None:
        raise UsageError("its networks of this family are built otherwise")
    for name in differences(spec, again.spec, layout, TRAINING_ONLY):
        raise UsageError(
            f"{name} is {_shown(again.spec.flat().get(name))} there, here {_shown(here.get(name))}"
        )
    return tensors


def _shown(value: Any) -> str:
    if isinstance(value, frozenset):
        return " or ".join(map(repr, sorted(value)))
    return repr(list(value) if isinstance(value, tuple) else value)
