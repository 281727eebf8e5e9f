"""What every spec of a network states."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from residua.budget import MOST_ENTRIES, MOST_SIZE, MOST_UNITS
from residua.errors import UsageError
from residua.spec.base import SCHEMA, Spec
from residua.spec.limits import positive

# the fields of model specs that count units, or how often one is computed
_UNITS = ("depths", "layers", "blocks", "steps", "tower", "halvings")


@dataclass(frozen=True, kw_only=True)
class ModelSpec(Spec, ABC):
    """What every model spec of every family states; a family adds its own fields."""

    takes_tokens: ClassVar[bool] = False  # whether the input is whole numbers, indices into a vocabulary
    # the field that counts the units of each stage (or of the only one), if those after a stage's first are alike
    repeats: ClassVar[str] = ""

    stored_as: ClassVar[str] = "model"

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

    @property
    @abstractmethod
    def depth(self) -> int:
        """How deep the network is, as its paper counts."""

    @property
    @abstractmethod
    def usual_input(self) -> tuple[int, ...]:
        """Shape of what the papers feed it, without the batch."""

    def input_shape(self, sample: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of what the network takes, where the data's samples have shape ``sample``: the sample itself."""
        return sample


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
    """The size of a number, of all numbers in a list, of the largest option of a part; 0 for anything else."""
    if isinstance(value, list):
        return sum(map(_total, value))
    if isinstance(value, dict):
        return max(map(_total, value.values()), default=0)
    return abs(value) if isinstance(value, int) else 0
