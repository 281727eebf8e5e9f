"""A small validator for JSON data: a shape is a leaf, a list of one shape, or a table of shapes by key."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from residua.errors import ResiduaError

LARGEST = 2**63  # no count in a run folder is larger, and a float holds it


@dataclass(frozen=True)
class Leaf:
    """A single value: what it is in words, and whether a value is one."""

    words: str
    accepts: Callable[[Any], bool]


@dataclass(frozen=True)
class Optional:
    """A key that may be missing or null."""

    shape: Any


def _whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < LARGEST


def _number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < LARGEST


def _finite(value: Any) -> bool:
    return _number(value) and math.isfinite(value)


TEXT = Leaf("text", lambda value: isinstance(value, str))
COUNT = Leaf("a whole number from 0", _whole)
NUMBER = Leaf("a finite number", _finite)
POSITIVE = Leaf("a finite number from 0", lambda value: _finite(value) and value >= 0)
SHARE = Leaf("a number in [0, 1]", lambda value: _number(value) and 0 <= value <= 1)
MEASURED = Leaf(
    "a number", lambda value: type(value) is float or _finite(value)
)  # NaN and infinity: diverged


def check(value: Any, shape: Any, where: str) -> None:
    """Raise ResiduaError that says where ``value`` lacks ``shape``; keys that no shape names are ignored."""
    if isinstance(shape, Leaf):
        if not shape.accepts(value):
            raise ResiduaError(f"{where} must be {shape.words}, not {_brief(value)}")
    elif isinstance(shape, list):
        if not isinstance(value, list):
            raise ResiduaError(f"{where} must be a list, not {_brief(value)}")
        for position, item in enumerate(value):
            check(item, shape[0], f"{where}[{position}]")
    else:
        if not isinstance(value, dict):
            raise ResiduaError(f"{where} must be a table of keys and values, not {_brief(value)}")
        for key, inner in shape.items():
            if isinstance(inner, Optional):
                if value.get(key) is not None:
                    check(value[key], inner.shape, f"{where}: {key}")
            elif key not in value:
                raise ResiduaError(f"{where} lacks {key!r}")
            else:
                check(value[key], inner, f"{where}: {key}")


def _brief(value: Any) -> str:
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a table"
    if type(value) is int and abs(value) >= LARGEST:  # printing it could take longer than reading it
        return "a number beyond 2**63"
    text = ascii(value)
    return text if len(text) <= 40 else text[:40] + "..."
