"""Frozen, keyword-only specs (model, data, recipe, plan, and their parts) with a strict JSON and TOML round trip.

A spec is a value: two runs with equal specs, data and plan give equal results. Reading refuses an unknown key
with the nearest known one, and a wrong type with the place where it stands.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Self

from residua import parts
from residua.errors import UsageError, nearest
from residua.spec import schema1
from residua.spec.check import check
from residua.spec.shorthand import read_shorthand

SCHEMA = 2


@dataclass(frozen=True, kw_only=True)
class Spec:
    """Base of every spec: ``to_dict``, ``from_dict`` and ``change``."""

    # what files call it, where schema 1 had other keys (residua.spec.schema1)
    table: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for name, hint in _hints(type(self)).items():
            checked = check(getattr(self, name), hint, f"{self.title()}.{name}")
            object.__setattr__(self, name, checked)  # lists from JSON become tuples, ints become floats
        self.validate()

    def validate(self) -> None:
        """Raise UsageError where fields that are each fine do not fit together."""

    @classmethod
    def title(cls) -> str:
        """How messages call it."""
        return cls.__name__

    @classmethod
    def fields(cls) -> tuple[str, ...]:
        """The names of its fields, in order."""
        return tuple(_hints(cls))

    @classmethod
    def required(cls) -> tuple[str, ...]:
        """The names of the fields that have no default."""
        none = dataclasses.MISSING
        return tuple(
            f.name for f in dataclasses.fields(cls) if f.default is none and f.default_factory is none
        )

    def to_dict(self) -> dict[str, Any]:
        """The spec as plain JSON values."""
        return {name: _plain(getattr(self, name)) for name in self.fields()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build the spec from plain values, those of schema 1 too.

        Raises UsageError for unknown keys, wrong types, a newer schema.
        """
        if not isinstance(values, Mapping):
            raise UsageError(f"{cls.title()} must be a table of keys and values, not {type(values).__name__}")
        schema = values.get("schema", SCHEMA)
        if schema == 1 and cls.table:
            values = schema1.read(cls.table, values)
        elif schema != SCHEMA:
            raise UsageError(f"{cls.title()} has schema {schema}; this residua reads schemas 1 and {SCHEMA}")
        known = _hints(cls)
        for key in values:
            if key not in known:
                raise UsageError(f"{cls.title()} has no key {key!r}{nearest(str(key), known)}")
        missing = [name for name in cls.required() if name not in values]
        if missing:
            raise UsageError(f"{cls.title()} lacks {', '.join(missing)}")
        return cls(**values)

    def change(self, **changes: Any) -> Self:
        """A copy with some fields changed; an unknown field is refused with the nearest known one.

        Options of parts are reached by a table (``unit={"cardinality": 32}``) or by a dotted name
        (``{"unit.cardinality": 32}``); a part that is given whole (``unit="bottleneck"``) has its own defaults.
        """
        values = self.to_dict()
        for name, value in in_order(self.table, changes):
            _put(type(self), values, name.split("."), value)
        return type(self).from_dict(values)

    @classmethod
    def read(cls, value: Any, where: str) -> Self:
        """The spec that a field holds: one, or its table."""
        return value if isinstance(value, cls) else cls.from_dict(value)


@dataclass(frozen=True, kw_only=True)
class PartSpec(Spec):
    """A part with options of its own, called by its ``kind`` where it stands in another spec.

    A class that states a ``slot`` is what a field asks for; a class that states a ``kind`` too and is registered
    (``residua.parts.register``) is what it can get. In JSON a part is ``{"kind": "bottleneck", "cardinality": 32}``;
    ``"bottleneck"``, ``"bottleneck(cardinality=32)"`` and ``"squeezed(bottleneck)"`` are shorthands, and a bare number
    is the first option.
    """

    slot: ClassVar[str]
    kind: ClassVar[str] = ""

    @classmethod
    def title(cls) -> str:  # noqa: D102
        return f"{cls.slot} {cls.kind!r}" if cls.kind else cls.slot

    def to_dict(self) -> dict[str, Any]:  # noqa: D102
        return {"kind": self.kind, **super().to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:  # noqa: D102
        if not isinstance(values, Mapping):
            raise UsageError(f"{cls.title()} must be a table of options, not {values!r}")
        return super().from_dict({key: value for key, value in values.items() if key != "kind"})

    @classmethod
    def read(cls, value: Any, where: str) -> Self:
        """The part that a value, a table or a shorthand means. Raises UsageError for what is no part of the slot."""
        if isinstance(value, cls):
            return value
        values = cls.spelled_out(value)
        if values is None:
            raise UsageError(f"{where} must be {_a(cls.slot)}, not {value!r}")
        return cls.called(values["kind"]).from_dict(values)

    @classmethod
    def called(cls, kind: Any) -> type[Self]:
        """The class of a kind of this slot."""
        if cls.kind and kind == cls.kind:
            return cls
        found = parts.find(cls.slot, str(kind))
        if not issubclass(found, cls):
            raise UsageError(f"{found.title()} is no {cls.title()}")
        return found

    @classmethod
    def spelled_out(cls, value: Any) -> dict[str, Any] | None:
        """The table that a value stands for, or None; whether its options are right is not looked at."""
        if isinstance(value, PartSpec):
            return value.to_dict()
        if isinstance(value, Mapping):
            return {"kind": cls.kind, **value} if cls.kind or value.get("kind") else None
        if isinstance(value, str):
            kind, options, named = read_shorthand(value)
        elif isinstance(value, int | float) and not isinstance(value, bool) and cls.kind:
            kind, options, named = cls.kind, [value], {}
        else:
            return None
        part = cls.called(kind)
        if len(options) > len(part.fields()):
            raise UsageError(
                f"{part.title()} has {len(part.fields())} options, not {len(options)}: {value!r}"
            )
        return {"kind": kind, **dict(zip(part.fields(), options, strict=False)), **named}


def positive(spec: Spec, *names: str) -> None:
    """Raise UsageError unless every named field is above zero."""
    for name in names:
        if not getattr(spec, name) > 0:
            raise UsageError(f"{spec.title()}.{name} must be above 0, not {getattr(spec, name)}")


def fraction(spec: Spec, *names: str) -> None:
    """Raise UsageError unless every named field is in [0, 1)."""
    for name in names:
        if not 0 <= getattr(spec, name) < 1:
            raise UsageError(f"{spec.title()}.{name} must be in [0, 1), not {getattr(spec, name)}")


def in_order(table: str, changes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Changes by the names of today, whole parts before their options."""
    named = {schema1.place(table, name): value for name, value in changes.items()}
    yield from sorted(named.items(), key=lambda item: item[0].count("."))


def _put(cls: type[Spec], values: dict[str, Any], path: list[str], value: Any) -> None:
    """Set a field in the table of a spec; a table without a kind changes the options of the part that is there."""
    name, *rest = path
    hint = _hints(cls).get(name)
    if rest and typing.get_origin(hint) is tuple and hasattr(typing.get_args(hint)[0], "spelled_out"):
        values[name] = _put_in_list(
            typing.get_args(hint)[0], values[name], f"{cls.title()}.{name}", rest, value
        )
        return
    if type(None) in typing.get_args(hint):  # a part that may be left out
        hint = next(arg for arg in typing.get_args(hint) if arg is not type(None))
    part = hint if isinstance(hint, type) and issubclass(hint, PartSpec) else None
    if rest and part is None:
        raise UsageError(f"{cls.title()} has no part {name!r}{nearest(name, _hints(cls))}")
    if part is None or not (rest or (isinstance(value, Mapping) and "kind" not in value)):
        values[name] = value
        return
    options = part.spelled_out(values[name] if name in values else cls.__dataclass_fields__[name].default)
    if options is None:
        raise UsageError(f"{cls.title()}.{name} must be {_a(part.slot)}, not {values[name]!r}")
    for key, inner in {".".join(rest): value}.items() if rest else value.items():
        _put(part.called(options["kind"]), options, key.split("."), inner)
    values[name] = options


def _put_in_list(slot: type[PartSpec], given: Any, where: str, path: list[str], value: Any) -> list[Any]:
    """The parts of a list, an option of those of one kind changed: ``augmentation.cutout.size``."""
    kind, *option = path
    items = [slot.spelled_out(item) for item in (given if isinstance(given, list | tuple) else [given])]
    kinds = [item["kind"] for item in items if item]
    if not option:
        raise UsageError(f"{where}.{kind} needs the name of an option: {where}.{kind}.OPTION")
    if kind not in kinds:
        raise UsageError(f"{where} has no {kind!r}{nearest(kind, kinds)}")
    for item in items:
        if item and item["kind"] == kind:
            _put(slot.called(kind), item, option, value)
    return items


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeio' else 'a'} {noun}"  # a unit


@cache
def _hints(cls: type[Spec]) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _plain(value: Any) -> Any:
    if isinstance(value, Spec):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
