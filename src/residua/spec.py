"""Frozen, keyword-only specs (model, data, recipe, plan) with a strict JSON and TOML round trip.

A spec is a value: two runs with equal specs, data and plan give equal results. Reading refuses an unknown key
with the nearest known one, and a wrong type with the place where it stands.
"""

from __future__ import annotations

import dataclasses
import sys
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, Union

from residua.budget import MOST_ENTRIES, MOST_SIZE, MOST_UNITS
from residua.errors import UsageError, nearest

SCHEMA = 1
# the fields of model specs that count units, or how often one is computed
_UNITS = ("depths", "layers", "blocks", "steps", "tower", "halvings")


@dataclass(frozen=True, kw_only=True)
class Spec:
    """Base of every spec: ``to_dict``, ``from_dict`` and ``change``."""

    def __post_init__(self) -> None:
        for name, hint in _hints(type(self)).items():
            checked = _check(getattr(self, name), hint, f"{type(self).__name__}.{name}")
            object.__setattr__(self, name, checked)  # lists from JSON become tuples, ints become floats
        self.validate()

    def validate(self) -> None:
        """Raise UsageError where fields that are each fine do not fit together."""

    def to_dict(self) -> dict[str, Any]:
        """The spec as plain JSON values."""
        return {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build the spec from plain values. Raises UsageError for unknown keys, wrong types, a newer schema."""
        if not isinstance(values, Mapping):
            raise UsageError(
                f"{cls.__name__} must be a table of keys and values, not {type(values).__name__}"
            )
        known = _hints(cls)
        for key in values:
            if key not in known:
                raise UsageError(f"{cls.__name__} has no key {key!r}{nearest(str(key), known)}")
        if values.get("schema", SCHEMA) != SCHEMA:
            raise UsageError(
                f"{cls.__name__} has schema {values['schema']}; this residua reads schema {SCHEMA}"
            )
        missing = [f.name for f in dataclasses.fields(cls) if _required(f) and f.name not in values]
        if missing:
            raise UsageError(f"{cls.__name__} lacks {', '.join(missing)}")
        return cls(**values)

    def change(self, **changes: Any) -> Self:
        """A copy with some fields changed; an unknown field is refused with the nearest known one."""
        return type(self).from_dict({**self.to_dict(), **changes})


@dataclass(frozen=True, kw_only=True)
class ModelSpec(Spec):
    """What every model spec of every family states; a family adds its own fields."""

    takes_tokens: ClassVar[bool] = False  # whether the input is whole numbers, indices into a vocabulary
    # the field that counts the units of each stage (or of the only one), if those after a stage's first are alike
    repeats: ClassVar[str] = ""

    schema: int = SCHEMA
    family: str
    name: str = "custom"
    num_classes: int = 1000
    in_channels: int = 3

    def validate(self) -> None:  # noqa: D102
        positive(self, "in_channels")
        if self.num_classes < 0:  # 0: no classifier, the network gives features
            raise UsageError(f"{type(self).__name__}.num_classes cannot be negative, not {self.num_classes}")
        _within_budget(type(self).__name__, self.to_dict())

    def input_shape(self, sample: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of what the network takes, where the data's samples have shape ``sample``: the sample itself."""
        return sample


@dataclass(frozen=True, kw_only=True)
class DataSpec(Spec):
    """Where images come from and how they are split; ``source`` is ``digits``, a path, or ``kind:path``."""

    schema: int = SCHEMA
    source: str = "digits"
    image_size: int | None = None  # pixels, square; None: decided from the files and stated in data.json
    context: int = 128  # bytes in a window of text
    val_fraction: float = 0.1  # of the training images; 0 trains on all of them
    # test: each epoch is measured on the test images, as the papers' curves are; nothing may be chosen by them
    validate_on: Literal["val", "test"] = "val"
    test_fraction: float = 0.2  # of a folder that has no test part of its own
    split_seed: int = 0  # splits do not follow the training seed: all seeds see the same images
    strict: bool = False  # refuse the first bad file instead of skipping and listing it

    def validate(self) -> None:  # noqa: D102
        for name in ("val_fraction", "test_fraction"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"DataSpec.{name} must be in [0, 1), not {getattr(self, name)}")
        if self.validate_on == "test" and self.val_fraction:
            raise UsageError(
                "DataSpec.validate_on 'test' holds no training images out: val_fraction must be 0"
            )
        positive(self, "context", *([] if self.image_size is None else ["image_size"]))


@dataclass(frozen=True, kw_only=True)
class Recipe(Spec):
    """How a network is trained. Moments of the schedule are fractions of the whole training, in [0, 1]."""

    schema: int = SCHEMA
    name: str = "custom"
    epochs: int = 20
    iterations: int | None = None  # trains exactly this many steps instead of whole epochs
    batch_size: int = 128
    optimizer: Literal["sgd", "adamw"] = "sgd"
    lr: float = 0.1
    momentum: float = 0.9  # of AdamW: the decay of the first moment, beta 1
    beta2: float = 0.999  # of AdamW: the decay of the second moment
    nesterov: bool = False  # of SGD
    weight_decay: float = 1e-4
    # of norms and biases (1-d parameters). None: the optimiser's habit: He et al. decay everything with SGD, AdamW
    # decays matrices only
    decay_norm: bool | None = None
    clip_norm: float | None = None  # gradients longer than this (all parameters together) are shortened to it
    schedule: Literal["constant", "step", "cosine", "linear"] = "step"
    milestones: tuple[float, ...] = ()  # of "step", as progress in [0, 1]
    gamma: float = 0.1  # of "step": the factor at each milestone
    warmup: float = 0.0  # progress at which warm-up ends
    warmup_factor: float = 0.0  # learning rate at the start of warm-up, as a factor of lr
    warmup_shape: Literal["linear", "constant"] = "linear"
    label_smoothing: float = 0.0
    pad: int | None = None  # crop with this padding, in pixels; None: the data's own habit
    flip: bool | None = None  # mirror half of the images; None: the data's own habit
    recompute: bool = False  # recompute units in the backward pass: memory for time
    log_every: int = 50  # steps between the step lines of metrics.jsonl

    def validate(self) -> None:  # noqa: D102
        positive(self, "epochs", "batch_size", "lr", "log_every")
        if self.iterations is not None:
            positive(self, "iterations")
        for name in ("warmup", "warmup_factor", "label_smoothing", "momentum"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"Recipe.{name} must be in [0, 1], not {getattr(self, name)}")
        if self.weight_decay < 0 or (self.pad is not None and self.pad < 0):
            raise UsageError("Recipe.weight_decay and Recipe.pad cannot be negative")
        if self.clip_norm is not None:
            positive(self, "clip_norm")
        if self.optimizer == "adamw" and (self.nesterov or self.momentum == 1 or not 0 <= self.beta2 < 1):
            raise UsageError("Recipe.optimizer 'adamw' needs momentum and beta2 in [0, 1), and no nesterov")
        if list(self.milestones) != sorted(self.milestones) or any(not 0 <= m <= 1 for m in self.milestones):
            raise UsageError(f"Recipe.milestones must rise within [0, 1], not {list(self.milestones)}")
        if self.nesterov and not self.momentum:
            raise UsageError("Recipe.nesterov needs a momentum above 0")


def positive(spec: Spec, *names: str) -> None:
    """Raise UsageError unless every named field is above zero."""
    for name in names:
        if not getattr(spec, name) > 0:
            raise UsageError(f"{type(spec).__name__}.{name} must be above 0, not {getattr(spec, name)}")


def _within_budget(spec: str, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, list) and len(value) > MOST_ENTRIES:
            raise UsageError(f"{spec}.{name} has at most {MOST_ENTRIES:,} entries, not {len(value):,}")
        if _total(value) > MOST_SIZE:
            raise UsageError(f"{spec}.{name} is at most {MOST_SIZE:,} in all, not {_total(value):,}")
    units = sum(_total(values[name]) for name in _UNITS if name in values)
    if units > MOST_UNITS:
        raise UsageError(f"a network has at most {MOST_UNITS:,} units, not {units:,}")


def _total(value: Any) -> int:
    """The size of a number, of all numbers in a list; 0 for what is no whole number."""
    if isinstance(value, list):
        return sum(map(_total, value))
    return abs(value) if isinstance(value, int) else 0


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; what is wrong with it is one line that names the file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # syntax, encoding, a number with thousands of digits
        raise UsageError(f"{path} is not valid TOML: {error}") from error


def parse_value(text: str) -> Any:
    """The value of ``--set key=value``: a TOML value if it reads as one, the bare text otherwise."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


@cache
def _hints(cls: type[Spec]) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _plain(value: Any) -> Any:
    if isinstance(value, Spec):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _check(value: Any, hint: Any, where: str) -> Any:
    """Return ``value`` as ``hint`` wants it, or raise UsageError with the place."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        return _check(value, next(arg for arg in args if arg is not type(None)), where)
    if origin is Literal:
        if value in args and isinstance(value, str):
            return value
        raise UsageError(f"{where} must be one of {', '.join(map(repr, args))}, not {value!r}")
    if origin is tuple:
        if isinstance(value, list | tuple):
            return tuple(_check(item, args[0], f"{where}[{i}]") for i, item in enumerate(value))
        raise UsageError(f"{where} must be a list, not {value!r}")
    if isinstance(hint, type) and issubclass(hint, Spec):
        return value if isinstance(value, hint) else hint.from_dict(value)
    if (
        hint is float
        and isinstance(value, int)
        and not isinstance(value, bool)
        and abs(value) <= sys.float_info.max
    ):
        value = float(value)
    if (hint is not bool and isinstance(value, bool)) or not isinstance(value, hint):
        raise UsageError(f"{where} must be {_NAMES.get(hint, hint.__name__)}, not {value!r}")
    if hint is int and abs(value) >= 2**63:
        raise UsageError(f"{where} must be below 2**63")
    if hint is float and (value != value or value in (float("inf"), float("-inf"))):
        raise UsageError(f"{where} must be a finite number, not {value}")
    return value


_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
