"""Whether a value is what a type asks: the one validator of specs, stored shapes and configuration files.

Types are hints: ``int``, ``float | None``, ``Literal["a", "b"]``, ``list[T]``, ``tuple[T, ...]``, ``dict[str, T]``,
specs, dataclasses, and ``TypedDict`` for tables that stay tables: a key of these that may be null may be missing, and
keys that they do not name are left alone. ``Annotated[T, Constraint(...)]`` asks for more than the type.
"""

from __future__ import annotations

import dataclasses
import reprlib
import sys
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, Union

from residua.errors import UsageError, nearest


@dataclasses.dataclass(frozen=True)
class Constraint:
    """What else is asked of a value of a type, in words and as a question."""

    words: str
    holds: Callable[[Any], bool]


Count = Annotated[int, Constraint("a whole number from 0", lambda value: value >= 0)]
Positive = Annotated[float, Constraint("a number from 0", lambda value: value >= 0)]
Share = Annotated[float, Constraint("a number in [0, 1]", lambda value: 0 <= value <= 1)]
# what a diverged training writes, too: NaN and infinity
Measured = Annotated[
    Any,
    Constraint("a number", lambda value: type(value) is float or (type(value) is int and abs(value) < 2**63)),
]


def check(value: Any, hint: Any, where: str) -> Any:
    """Return ``value`` as ``hint`` wants it, or raise UsageError with the place."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _ruled(value, hint, where)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        return check(value, next(arg for arg in args if arg is not type(None)), where)
    if origin is Literal:
        if any(type(value) is type(arg) and value == arg for arg in args):
            return value
        raise wrong(value, ("one of " if args[1:] else "") + ", ".join(map(repr, args)), where)
    if origin in (tuple, list):
        return _items(value, origin, args, where)
    if origin is dict:
        return {key: check(item, args[1], _at(where, key)) for key, item in _table(value, where).items()}
    if hasattr(hint, "read"):  # a spec
        return hint.read(value, where)
    if typing.is_typeddict(hint):
        return _keys(_table(value, where), _hints(hint), where)
    if dataclasses.is_dataclass(hint):
        return _dataclass(value, hint, where)
    return value if hint is Any else _plain(value, hint, where)


def wrong(value: Any, wanted: str, where: str) -> UsageError:
    """That the value at a place is not what is wanted there."""
    return UsageError(f"{where or 'it'} must be {wanted}, not {reprlib.repr(value)}")


def _plain(value: Any, hint: Any, where: str) -> Any:
    """A number, a text or a truth value."""
    if hint is float and type(value) is int and abs(value) <= sys.float_info.max:
        value = float(value)
    if (hint is not bool and isinstance(value, bool)) or not isinstance(value, hint):
        raise wrong(value, _NAMES.get(hint, hint.__name__), where)
    if hint is int and abs(value) >= 2**63:
        raise UsageError(f"{where or 'it'} must be below 2**63")
    if hint is float and (value != value or value in (float("inf"), float("-inf"))):
        raise wrong(value, "a finite number", where)
    return value


_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def _ruled(value: Any, hint: Any, where: str) -> Any:
    kind, *rules = typing.get_args(hint)
    value = check(value, kind, where)
    for rule in rules:
        if not rule.holds(value):
            raise wrong(value, rule.words, where)
    return value


def _items(value: Any, kind: type, args: tuple[Any, ...], where: str) -> Any:
    """A list or tuple of any number of alike items, or of as many as ``args`` names."""
    if kind is tuple and isinstance(value, str | dict) and hasattr(args[0], "read"):
        value = [value]  # one part stands for a list of it
    if not isinstance(value, list | tuple):
        raise wrong(value, "a list", where)
    alike = kind is list or args[-1] is Ellipsis
    if not alike and len(value) != len(args):
        raise wrong(value, f"a list of {len(args)}", where)
    hints = [args[0]] * len(value) if alike else args
    return kind(
        check(item, hint, f"{where}[{i}]") for i, (item, hint) in enumerate(zip(value, hints, strict=True))
    )


def _dataclass(value: Any, hint: Any, where: str) -> Any:
    """An object of a dataclass out of the table of its fields; another key is refused."""
    known = {field.name: field for field in dataclasses.fields(hint)}
    for key in _table(value, where):
        if key not in known:
            raise UsageError(f"{where or 'it'} has no key {key!r}{nearest(str(key), known)}")
    hints = {
        name: hinted
        for name, hinted in _hints(hint).items()
        if name in value or (known[name].default is known[name].default_factory)  # neither: it is asked for
    }
    return hint(**_keys(value, hints, where))


def _keys(value: Mapping[str, Any], hints: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A table whose keys have been checked."""
    checked = dict(value)
    for key, hint in hints.items():
        if key in value:
            checked[key] = check(value[key], hint, _at(where, key))
        elif type(None) not in typing.get_args(hint):
            raise UsageError(f"{where or 'it'} lacks {key!r}")
    return checked


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise wrong(value, "a table of keys and values", where)
    return value


def _at(where: str, key: Any) -> str:
    return f"{where}.{key}" if where else str(key)


@cache
def _hints(hint: Any) -> dict[str, Any]:
    return typing.get_type_hints(hint, include_extras=True)
