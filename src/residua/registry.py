"""Model names: every name leads to a spec, every spec to the builder of its family. Imports no torch."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from residua import parts
from residua.budget import build_within
from residua.errors import UsageError, nearest
from residua.spec import ModelSpec


@dataclass(frozen=True)
class Family:
    """A family of networks: its spec class, its builder and its names.

    ``named`` maps a name to its spec. ``patterns`` maps a regular expression to a function that makes a spec from
    the match and from the caller's changes (``cifar_resnet(\\d+)`` with ``unit="bottleneck"``); such a function
    takes out of ``changes`` what it has used. ``task`` says how it is trained (residua.train.tasks); ``source`` and
    ``recipe`` are what ``residua train --model NAME`` takes by default.
    """

    slot: ClassVar[str] = "model family"

    name: str
    spec_class: type[ModelSpec]
    build: Callable[[Any], Any]
    named: Mapping[str, ModelSpec]
    patterns: Mapping[str, Callable[[re.Match[str], dict[str, Any]], ModelSpec]] = field(default_factory=dict)
    task: str = "classification"
    source: str = "digits"
    recipe: str = ""  # empty: one that suits the data
    tiny: str = ""  # the name of the member that heavy tests use
    # export, compile, fx: torch.export, torch.compile and torch.fx take it whole; features: it is a classifier with
    # levels and timm's conventions (residua.nn.ImageClassifier)
    capabilities: frozenset[str] = frozenset({"export", "compile", "fx", "features"})

    @property
    def kind(self) -> str:
        """Its name, as every registered part has one."""
        return self.name


def register(family: Family) -> Family:
    """Add a family. Raises UsageError if its name, or one of its models' names, already belongs to another family."""
    for other in parts.known(Family.slot).values():
        taken = set(other.named) & set(family.named)
        if other.name != family.name and taken:
            raise UsageError(f"model name {sorted(taken)[0]!r} already belongs to family {other.name!r}")
    return parts.register(family)


def families() -> dict[str, Family]:
    """Every registered family by name."""
    return parts.parts(Family.slot)


def family(name: str) -> Family:
    """The family called ``name``. Raises UsageError with the nearest known name."""
    return parts.find(Family.slot, name)


def list_models(pattern: str = "*") -> list[str]:
    """Names of the registered models that match a shell pattern, such as ``"*resnet*"``, sorted by natural order."""
    names = [name for item in families().values() for name in item.named]
    return sorted((n for n in names if fnmatch.fnmatchcase(n, pattern)), key=_natural)


def model_spec(model: str | ModelSpec | Mapping[str, Any], **changes: Any) -> ModelSpec:
    """The spec of a model name, of a spec, or of a spec's dictionary, with ``changes`` applied.

    Raises UsageError for a name that is unknown or whose depth fits no formula, and for changes that do not fit.
    """
    if isinstance(model, ModelSpec):
        return model.change(**changes) if changes else model
    if isinstance(model, Mapping):
        return spec_from_dict({**model, **changes})
    if not isinstance(model, str):
        raise UsageError(f"a model is a name, a spec or a table, not {type(model).__name__}")
    for item in families().values():
        for pattern, make in item.patterns.items():
            match = re.fullmatch(pattern, model)
            if match:
                spec = make(match, changes)
                return spec.change(**changes) if changes else spec
        if model in item.named:
            spec = item.named[model]
            return spec.change(**changes) if changes else spec
    raise UsageError(f"unknown model {model!r}{nearest(model, list_models())}")


def spec_from_dict(values: Mapping[str, Any]) -> ModelSpec:
    """Read a model spec of any family, as ``spec.json`` holds it."""
    if not isinstance(values, Mapping) or not isinstance(values.get("family"), str):
        raise UsageError("a model spec must name its 'family'")
    return family(values["family"]).spec_class.from_dict(values)


def build(spec: ModelSpec) -> Any:
    """The ``torch.nn.Module`` that a spec describes. Raises UsageError for one beyond ``residua.budget``."""
    return build_within(spec.name, partial(family(spec.family).build, spec))


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
