"""Which rows of a table are shown, and in which order: ``--filter 'test>=0.9' --sort test``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from residua.errors import UsageError, nearest

Row = Mapping[str, Any]

_ORDERS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


def condition(text: str, keys: Collection[str]) -> Callable[[Row], bool]:
    """The test of a row that ``text`` stands for: ``KEY`` ``=``, ``!=``, ``>``, ``>=``, ``<`` or ``<=``, and a value.

    ``=`` and ``!=`` compare with a shell pattern, or number with number; a row without the value fulfils ``!=`` alone.
    Raises UsageError for what is no condition, a key that is none of ``keys``, and an order of what is no number.
    """
    parts = re.fullmatch(r"\s*(\w+)\s*(!=|>=|<=|=|>|<)\s*(.*?)\s*", text)
    if parts is None:
        raise UsageError(f"--filter takes KEY=VALUE, !=, >, >=, < or <=, such as 'test>=0.9', not {text!r}")
    key, sign, wanted = parts.groups()
    if key not in keys:
        raise UsageError(f"--filter: unknown key {key!r}{nearest(key, keys)}")
    if sign in ("=", "!="):
        return lambda row: _is(row.get(key), wanted) == (sign == "=")
    number, order = _number(wanted), _ORDERS[sign]
    if number is None:
        raise UsageError(f"--filter: {sign} needs a number, not {wanted!r}")
    return lambda row: isinstance(row.get(key), int | float) and order(row[key], number)


def arranged(rows: Iterable[Row], sort: str | None, *, reverse: bool, keys: Collection[str]) -> list[Row]:
    """The rows by one of their ``keys``, numbers by size and text by letter; those without it come last.

    Raises UsageError for a ``sort`` that is none of ``keys``.
    """
    if sort is None:
        return list(rows)[:: -1 if reverse else 1]
    if sort not in keys:
        raise UsageError(f"--sort: unknown key {sort!r}{nearest(sort, keys)}")
    there, without = [], []
    for row in rows:
        (without if row.get(sort) is None else there).append(row)
    return sorted(there, key=lambda row: row[sort], reverse=reverse) + without


def _is(value: Any, wanted: str) -> bool:
    number = _number(wanted)
    if isinstance(value, int | float) and number is not None:
        return value == number
    return value is not None and fnmatchcase(str(value), wanted)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
