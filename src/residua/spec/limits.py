"""Limits that many specs set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

from residua.errors import UsageError

MOST_NESTED = 20  # parts in parts


class Titled(Protocol):
    """What has a name for messages."""

    @classmethod
    def title(cls) -> str:
        """The name."""
        ...


def positive(spec: Titled, *names: str) -> None:
    """Raise UsageError unless every named field is above zero."""
    for name in names:
        if not getattr(spec, name) > 0:
            raise UsageError(f"{spec.title()}.{name} must be above 0, not {getattr(spec, name)}")


def fraction(spec: Titled, *names: str) -> None:
    """Raise UsageError unless every named field is in [0, 1)."""
    for name in names:
        if not 0 <= getattr(spec, name) < 1:
            raise UsageError(f"{spec.title()}.{name} must be in [0, 1), not {getattr(spec, name)}")


def probability(spec: Titled, *names: str) -> None:
    """Raise UsageError unless every named field is in [0, 1]."""
    for name in names:
        if not 0 <= getattr(spec, name) <= 1:
            raise UsageError(f"{spec.title()}.{name} must be in [0, 1], not {getattr(spec, name)}")


def rising(spec: Titled, name: str, *, most: float = math.inf) -> None:
    """Raise UsageError unless a field is a range: two numbers above zero, the second no less, up to ``most``."""
    least, highest = getattr(spec, name)
    if not 0 < least <= highest <= most:
        limit = f", up to {most:g}" if math.isfinite(most) else ""
        raise UsageError(
            f"{spec.title()}.{name} must be two numbers above 0 that do not fall{limit}, not {least}, {highest}"
        )


def deeper(value: Any, most: int) -> bool:
    """Whether tables and lists stand in one another more often than ``most``: anybody may have written them."""
    level = [value]
    for _ in range(most + 1):
        level = [
            inner
            for item in level
            if isinstance(item, Mapping | list | tuple)
            for inner in (item.values() if isinstance(item, Mapping) else item)
        ]
    return bool(level)
