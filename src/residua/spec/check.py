"""Whether a value is what a type asks for: the one validator of specs, stored shapes and configuration files."""

from __future__ import annotations

import sys
import types
import typing
from typing import Any, Literal, Union

from residua.errors import UsageError


def check(value: Any, hint: Any, where: str) -> Any:
    """Return ``value`` as ``hint`` wants it, or raise UsageError with the place."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        return check(value, next(arg for arg in args if arg is not type(None)), where)
    if origin is Literal:
        if value in args and isinstance(value, str):
            return value
        raise UsageError(f"{where} must be one of {', '.join(map(repr, args))}, not {value!r}")
    if origin is tuple:
        if isinstance(value, str | dict) and hasattr(args[0], "read"):
            value = [value]  # one part stands for a list of it
        if isinstance(value, list | tuple):
            return tuple(check(item, args[0], f"{where}[{i}]") for i, item in enumerate(value))
        raise UsageError(f"{where} must be a list, not {value!r}")
    if hasattr(hint, "read"):  # a spec
        return hint.read(value, where)
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
