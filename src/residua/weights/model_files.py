"""Weight files: safetensors whose header says what network they belong to and what its images look like.

A file is complete in itself: the model can be built and used from it alone. Nothing is ever unpickled here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from residua.budget import limit
from residua.errors import ResiduaError, UsageError
from residua.meta import without_numbers
from residua.registry import build, spec_from_dict
from residua.spec import ModelSpec
from residua.weights.digest import stated_digest
from residua.weights.tensor_files import read_about, read_tensors, save_tensors

__all__ = [
    "Adapted",
    "Weights",
    "adapt",
    "build_model",
    "no_larger",
    "read_about",
    "read_tensors",
    "read_weights",
    "save_model",
    "save_tensors",
    "say_not_finite",
    "spec_of",
    "stated_digest",
]
_log = logging.getLogger("residua")
# what of a spec leaves no trace in weights: it matters to a training alone
TRACELESS = frozenset(
    {
        *("zero_init", "dropout", "unit.dropout", "unit.of.dropout", "transition.dropout", "head.dropout"),
        *("drop_path", "drop_path.rate", "drop_path.rule", "drop_path.mode"),
    }
)
# What may differ between a network and the weights that it starts from
_FREE = {
    *("schema", "name", "num_classes", "in_channels", *TRACELESS),
    "output_stride",  # every old value stays, at every n-th pixel (nn.dilate)
}
_CLASSIFIER = "head.fc."  # absent where num_classes is 0


@dataclass(frozen=True)
class Weights:
    """Tensors of a network, the spec that they fit, and what is known of its images (classes, mean, std, shape).

    ``path`` is the file that they were read from, for messages.
    """

    tensors: dict[str, Tensor]
    spec: ModelSpec
    data: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    @property
    def title(self) -> str:
        """What a message calls them."""
        return f"{self.path}: the weights" if self.path else "the weights"

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed of them, a line each."""
        notes = self.data.get("notes")
        return tuple(map(str, notes)) if isinstance(notes, list) else ()  # anybody may have written the file


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


def spec_of(model: nn.Module) -> ModelSpec:
    """The spec of a network of residua's. Raises UsageError for another module, or one that wraps a network."""
    spec = getattr(model, "spec", None)
    if not isinstance(spec, ModelSpec):
        raise UsageError(
            f"a network of create_model was expected, not a {type(model).__name__}; if it holds one, hand over that"
        )
    return spec


def save_model(path: str | Path, model: nn.Module, data: Mapping[str, Any] | None = None) -> None:
    """Save a network of residua's with its spec, and with what ``data`` (``Data.about()``) says of its images.

    ``load_model``, ``evaluate`` and ``Predictor`` take the file, whoever has trained the network. Raises UsageError for
    what they could not take: a module without a spec (a wrapper around a network), and a network that was changed so
    that its tensors are no longer those of its spec (compiled, quantised, another layer put in); ResiduaError if the
    disk refuses.
    """
    spec = spec_of(model)
    tensors = model.state_dict()
    with without_numbers():
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
    return Weights(own, spec_from_dict(about["spec"]), data if isinstance(data, dict) else {}, path)


def build_model(weights: Weights) -> nn.Module:
    """The network with its weights, in evaluation mode. Raises ResiduaError where tensors do not fit the spec.

    Weights that are not finite are said by the logger ``residua``.
    """
    with without_numbers(), no_larger(weights):
        model = build(weights.spec)
    try:
        model.load_state_dict(weights.tensors, assign=True)
    except RuntimeError as error:
        raise ResiduaError(f"{weights.title} do not fit {weights.spec.name}: {_first_line(error)}") from error
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    say_not_finite(weights.title, weights.tensors)
    return model.eval()


def say_not_finite(title: str, tensors: Mapping[str, Tensor]) -> None:
    """Warn of NaN or infinity in what a message calls ``title``, naming the first tensor that has them."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.sum().isfinite() and not tensor.isfinite().all():
            _log.warning("%s: NaN or infinity in %s", title, name)
            return


@contextmanager
def no_larger(weights: Weights) -> Iterator[None]:
    """Refuse a network that is being built as soon as it has far more parameters than ``weights`` has for it.

    Raises ResiduaError then: a file of a few bytes must not ask for a network that takes minutes.
    """

    def refuse() -> None:
        raise ResiduaError(f"{weights.title} do not fit {weights.spec.name}: it is much larger than they are")

    # twice: a builder may put a parameter into another's place
    numbers = sum(tensor.numel() for tensor in weights.tensors.values())
    with limit(2 * numbers, refuse, tensors=2 * len(weights.tensors)):
        yield


def adapt(model: nn.Module, weights: Weights) -> Adapted:
    """Load what fits into ``model``, for fine-tuning: another number of classes or of input channels is adapted.

    A first convolution for other channels is made from the mean of the old ones, scaled so that its response keeps
    its size; a classifier for other classes starts fresh, and so does one that the weights lack. Raises UsageError
    if the networks differ otherwise, also where their tensors would fit (option A with the zeros on both sides has
    the tensors of option A without).
    """
    own, theirs = spec_of(model).flat(), weights.spec.flat()
    for key in theirs:
        if own["family"] == theirs["family"] and key not in _FREE and own.get(key) != theirs[key]:
            raise UsageError(
                f"{weights.title} are of {theirs['name']} with {key}={theirs[key]!r}, this {own['name']} has "
                f"{own.get(key)!r}: create it with {key}={theirs[key]!r}"
            )
    target = model.state_dict()
    changed, fresh, taken = [], [], {}
    for name, tensor in weights.tensors.items():
        if name not in target and own["num_classes"] == 0 and name.startswith(_CLASSIFIER):
            changed.append(f"{name} left out")
            continue
        if name not in target:
            raise UsageError(
                f"{weights.title} are of {weights.spec.name}, which does not fit this network: it has no {name}"
            )
        want = target[name].shape
        if tensor.shape == want:
            taken[name] = tensor
        elif (
            tensor.ndim == 4
            and tensor.shape[1]
            and tensor.shape[0] == want[0]
            and tensor.shape[2:] == want[2:]
            and "stem" in name
        ):
            mean = tensor.mean(1, keepdim=True) * (tensor.shape[1] / want[1])
            taken[name] = mean.expand(want).contiguous()
            changed.append(f"{name} adapted from {tensor.shape[1]} to {want[1]} channels")
        elif name.startswith("head.") and want and tensor.ndim == len(want):
            fresh.append(f"{name} ({want[0]} classes, the weights have {tensor.shape[0]})")
        else:
            raise UsageError(
                f"{weights.title} are of {weights.spec.name}: {name} is {list(tensor.shape)}, here {list(want)}"
            )
    say_not_finite(weights.title, taken)
    missing = sorted(set(target) - set(weights.tensors))
    if theirs["num_classes"] == 0:
        fresh += [
            f"{name} (the weights have no classifier)" for name in missing if name.startswith(_CLASSIFIER)
        ]
        missing = [name for name in missing if not name.startswith(_CLASSIFIER)]
    if missing:
        raise UsageError(f"{weights.title} of {weights.spec.name} lack {missing[0]} of this network")
    model.load_state_dict(taken, strict=False)
    return Adapted(len(taken), tuple(changed), tuple(fresh))


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[min(1, len(lines) - 1)]
