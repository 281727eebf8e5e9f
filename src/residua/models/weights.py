"""Weight files: safetensors whose header says what network they belong to and what its images look like.

A file is complete in itself: the model can be built and used from it alone. Nothing is ever unpickled here.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from residua.errors import ResiduaError, UsageError
from residua.files import write_atomic
from residua.registry import build, spec_from_dict
from residua.spec import ModelSpec

_HEADER_KEY = "residua"
_HEADER_LIMIT = 100_000_000  # bytes; safetensors' own limit
# What may differ between a network and the weights that it starts from
_FREE = {
    *("name", "num_classes", "in_channels", "zero_init"),
    *("dropout", "drop_path", "drop_path_rule", "drop_path_mode"),
    "output_stride",  # every old value stays, at every n-th pixel (nn.dilate)
}


@dataclass(frozen=True)
class Weights:
    """Tensors of a network, the spec that they fit, and what is known of its images (classes, mean, std, shape)."""

    tensors: dict[str, Tensor]
    spec: ModelSpec
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Adapted:
    """What ``adapt`` did: parameters taken as they are, changed to fit, and left at their fresh start."""

    loaded: int
    changed: tuple[str, ...]
    fresh: tuple[str, ...]

    def __str__(self) -> str:
        parts = [f"{self.loaded} tensors loaded", *self.changed]
        if self.fresh:
            parts.append(f"fresh: {', '.join(self.fresh)}")
        return "; ".join(parts)


def save_tensors(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write tensors and a JSON header, atomically. Raises ResiduaError if the disk refuses."""
    own = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
    metadata = {_HEADER_KEY: json.dumps(about, allow_nan=False)}

    def write(temporary: Path) -> None:
        try:
            save_file(own, temporary, metadata=metadata)
        except SafetensorError as error:  # how safetensors reports a full disk
            raise ResiduaError(f"cannot write {path}: {error}") from error

    write_atomic(path, write)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and the JSON header. Raises ResiduaError naming the file if it is missing or damaged."""
    try:
        return load_file(path), read_about(path)
    except OSError as error:
        raise ResiduaError(f"cannot read {path}: {error.strerror or error}") from error
    except (SafetensorError, ValueError, KeyError, RecursionError) as error:
        raise ResiduaError(f"{path} is not a readable safetensors file: {error}") from error


def read_about(path: Path) -> dict[str, Any]:
    """The JSON header of a residua weight file, without its tensors; empty if the file is somebody else's."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if not 0 < length <= min(_HEADER_LIMIT, path.stat().st_size):
                raise ResiduaError(f"{path} is not a readable safetensors file: its header is damaged")
            header = json.loads(file.read(length))
        about = json.loads(header.get("__metadata__", {}).get(_HEADER_KEY, "{}"))
    except OSError as error:
        raise ResiduaError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, AttributeError, RecursionError) as error:
        raise ResiduaError(f"{path} is not a readable safetensors file: {error}") from error
    return about if isinstance(about, dict) else {}


def save_model(path: str | Path, model: nn.Module, data: Mapping[str, Any] | None = None) -> None:
    """Save a network of residua's with its spec, and with what ``data`` (``Data.about()``) says of its images.

    ``load_model``, ``evaluate`` and ``Predictor`` take the file, whoever has trained the network. Raises UsageError for
    what they could not take: a module without a spec (a wrapper around a network), and a network that was changed so
    that its tensors are no longer those of its spec (compiled, quantised, another layer put in); ResiduaError if the
    disk refuses.
    """
    spec = getattr(model, "spec", None)
    if not isinstance(spec, ModelSpec):
        raise UsageError(
            f"save_model takes a network of create_model, not a {type(model).__name__}; if it holds one, hand over that"
        )
    tensors = model.state_dict()
    with torch.device("meta"):
        wanted = {name: tensor.shape for name, tensor in build(spec).state_dict().items()}
    found = {name: tensor.shape for name, tensor in tensors.items() if type(tensor) is Tensor}
    odd = [name for name in {**wanted, **tensors} if wanted.get(name) != found.get(name)]
    if odd:
        raise UsageError(
            f"this network is no longer the {spec.name} of its spec: {odd[0]} is not as it was built"
        )
    about = {"schema": 1, "spec": spec.to_dict(), "data": dict(data or {})}
    save_tensors(Path(path), tensors, about)


def read_weights(path: Path) -> Weights:
    """Read a model's weight file, or the model out of a training checkpoint.

    Raises ResiduaError for a damaged file and for one that names no residua spec.
    """
    tensors, about = read_tensors(path)
    if "spec" not in about:
        raise ResiduaError(
            f"{path} holds no residua model spec; foreign checkpoints go through residua.convert"
        )
    prefix = about.get("model_prefix", "")  # checkpoints hold optimiser state beside the model
    own = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
    data = about.get("data", {})
    return Weights(own, spec_from_dict(about["spec"]), data if isinstance(data, dict) else {})


def build_model(weights: Weights) -> nn.Module:
    """The network with its weights, in evaluation mode. Raises ResiduaError where tensors do not fit the spec."""
    with torch.device("meta"):
        model = build(weights.spec)
    try:
        model.load_state_dict(weights.tensors, assign=True)
    except RuntimeError as error:
        raise ResiduaError(f"the weights do not fit {weights.spec.name}: {_first_line(error)}") from error
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    return model.eval()


def adapt(model: nn.Module, weights: Weights) -> Adapted:
    """Load what fits into ``model``, for fine-tuning: another number of classes or of input channels is adapted.

    A first convolution for other channels is made from the mean of the old ones, scaled so that its response keeps
    its size; a classifier for other classes starts fresh. Raises UsageError if the networks differ otherwise, also
    where their tensors would fit (option A with the zeros on both sides has the tensors of option A without).
    """
    own, theirs = model.spec.to_dict(), weights.spec.to_dict()  # type: ignore[operator]
    for key in own:
        if own["family"] == theirs["family"] and key not in _FREE and own[key] != theirs[key]:
            raise UsageError(
                f"the weights are of {theirs['name']} with {key}={theirs[key]!r}, this {own['name']} has "
                f"{own[key]!r}: create it with {key}={theirs[key]!r}"
            )
    target = model.state_dict()
    changed, fresh, taken = [], [], {}
    for name, tensor in weights.tensors.items():
        if name not in target:
            raise UsageError(
                f"the weights are of {weights.spec.name}, which does not fit this network: it has no {name}"
            )
        want = target[name].shape
        if tensor.shape == want:
            taken[name] = tensor
        elif (
            tensor.ndim == 4
            and tensor.shape[0] == want[0]
            and tensor.shape[2:] == want[2:]
            and "stem" in name
        ):
            mean = tensor.mean(1, keepdim=True) * (tensor.shape[1] / want[1])
            taken[name] = mean.expand(want).contiguous()
            changed.append(f"{name} adapted from {tensor.shape[1]} to {want[1]} channels")
        elif re.match(r"head\.", name):
            fresh.append(f"{name} ({want[0]} classes, the weights have {tensor.shape[0]})")
        else:
            raise UsageError(
                f"the weights are of {weights.spec.name}: {name} is {list(tensor.shape)}, here {list(want)}"
            )
    missing = set(target) - set(weights.tensors)
    if missing:
        raise UsageError(f"the weights of {weights.spec.name} lack {sorted(missing)[0]} of this network")
    model.load_state_dict(taken, strict=False)
    return Adapted(len(taken), tuple(changed), tuple(fresh))


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[min(1, len(lines) - 1)]
