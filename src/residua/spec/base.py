"""Frozen, keyword-only specs (model, data, recipe, plan, and their parts) with a strict JSON and TOML round trip.

A spec is a value: two runs with equal specs, data and plan give equal results. Reading refuses an unknown key
with the nearest known one, and a wrong type with the place where it stands.
"""

from __future__ import annotations

import dataclasses
import typing
from abc import ABC
from collections.abc import Mapping
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
    stored_as: ClassVar[str] = ""

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
    def default(cls, name: str) -> Any:
        """The default of a field; None where it has none."""
        field = cls.__dataclass_fields__[name]
        if field.default_factory is not dataclasses.MISSING:
            return field.default_factory()
        return None if field.default is dataclasses.MISSING else field.default

    @classmethod
    def required(cls) -> tuple[str, ...]:
        """The names of the fields that have no default."""
        none = dataclasses.MISSING
        return tuple(
            f.name for f in dataclasses.fields(cls) if f.default is none and f.default_factory is none
        )

    @classmethod
    def placed(cls, name: str) -> tuple[str, ...]:
        """Where a field stands, by its name of today or that of version 0.1 (``dropout``: ``unit.dropout``)."""
        return schema1.places(cls.stored_as, name)

    def to_dict(self) -> dict[str, Any]:
        """The spec as plain JSON values."""
        return {name: _plain(getattr(self, name)) for name in self.fields()}

    def flat(self) -> dict[str, Any]:
        """Its fields and the options of its parts by dotted names; a part itself is its kind."""
        found = {}
        for name in self.fields():
            value = getattr(self, name)
            found[name] = value.kind if isinstance(value, PartSpec) else value
            if isinstance(value, PartSpec):
                found |= {f"{name}.{option}": inner for option, inner in value.flat().items()}
            elif isinstance(value, tuple) and any(isinstance(item, PartSpec) for item in value):
                found[name] = tuple(item.kind for item in value)
                for item in value:
                    found |= {f"{name}.{item.kind}.{option}": inner for option, inner in item.flat().items()}
        return found

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build the spec from plain values, those of schema 1 too.

        Raises UsageError for unknown keys, wrong types, a newer schema.
        """
        if not isinstance(values, Mapping):
            raise UsageError(f"{cls.title()} must be a table of keys and values, not {type(values).__name__}")
        schema = values.get("schema", SCHEMA)
        if type(schema) is int and schema == 1 and cls.stored_as:
            values = schema1.read(cls.stored_as, values)
        elif schema != SCHEMA:
            raise UsageError(f"{cls.title()} has schema {schema}; this residua reads schemas 1 and {SCHEMA}")
        return cls._filled({}, values)

    def change(self, **changes: Any) -> Self:
        """A copy with some fields changed; an unknown field is refused with the nearest known one.

        Options of parts are reached by a table (``unit={"cardinality": 32}``) or by a dotted name
        (``{"unit.cardinality": 32}``). A part of another kind (``unit="bottleneck"``) starts at its defaults, but for
        options that every kind of its slot has (a stem's width).
        """
        return self._filled(self.to_dict(), changes)

    @classmethod
    def _filled(cls, values: dict[str, Any], changes: Mapping[str, Any]) -> Self:
        """The spec of a table with changes put into it, whole parts before their options."""
        named = [(place, value) for name, value in changes.items() for place in cls.placed(name)]
        for name, value in sorted(named, key=lambda item: item[0].count(".")):
            if name.partition(".")[0] not in cls.fields():
                inside = [part for part, kind in cls._parts() if name in kind.fields()]
                near = f"; {inside[0]!r} has: {inside[0]}.{name}" if inside else nearest(name, cls.fields())
                raise UsageError(f"{cls.title()} has no key {name!r}{near}")
            _put(cls, values, name.split("."), value)
        missing = [name for name in cls.required() if name not in values]
        if missing:
            raise UsageError(f"{cls.title()} lacks {', '.join(missing)}")
        return cls(**values)

    @classmethod
    def _parts(cls) -> list[tuple[str, type[PartSpec]]]:
        """Its parts by name, as they are by default."""
        defaults = {name: cls.default(name) for name in cls.fields()}
        return [(name, type(part)) for name, part in defaults.items() if isinstance(part, PartSpec)]

    @classmethod
    def read(cls, value: Any, where: str) -> Self:
        """The spec that a field holds: one, or its table."""
        return value if isinstance(value, cls) else cls.from_dict(value)


@dataclass(frozen=True, kw_only=True)
class PartSpec(Spec, ABC):
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
        alone = cls.kind == cls.slot.replace(" ", "_")  # a slot of one kind
        return cls.kind if alone else f"{cls.slot} {cls.kind!r}" if cls.kind else cls.slot

    def to_dict(self) -> dict[str, Any]:  # noqa: D102
        return {"kind": self.kind, **super().to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:  # noqa: D102
        return cls._filled({}, {key: value for key, value in values.items() if key != "kind"})

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


def _put(cls: type[Spec], values: dict[str, Any], path: list[str], value: Any) -> None:
    """Set a field in the table of a spec.

    A table without a kind changes the options of the part that is there; a shorthand or a table with a kind is another
    part, which takes over what the slot itself asks of all of them.
    """
    name, *rest = path
    hint = _hints(cls).get(name)
    if rest and typing.get_origin(hint) is tuple and hasattr(typing.get_args(hint)[0], "spelled_out"):
        given = values[name] if name in values else cls.default(name)
        values[name] = _put_in_list(typing.get_args(hint)[0], given, f"{cls.title()}.{name}", rest, value)
        return
    if type(None) in typing.get_args(hint):  # a part that may be left out
        hint = next(arg for arg in typing.get_args(hint) if arg is not type(None))
        if value is None and not rest:
            values[name] = None
            return
    part = hint if isinstance(hint, type) and issubclass(hint, PartSpec) else None
    if rest and part is None:
        raise UsageError(f"{cls.title()} has no part {name!r}{nearest(name, _hints(cls))}")
    if part is None or isinstance(value, PartSpec):
        values[name] = value
        return
    options = part.spelled_out(values[name] if name in values else cls.default(name))
    if not rest and not (isinstance(value, Mapping) and "kind" not in value):  # another part
        whole = part.spelled_out(value)
        if whole is None:
            raise UsageError(f"{cls.title()}.{name} must be {_a(part.slot)}, not {value!r}")
        kept = {key: options[key] for key in part.fields() if options and key in options}
        values[name] = {**kept, **whole}
        return
    if options is None:
        raise UsageError(f"{cls.title()}.{name} must be {_a(part.slot)}, not {values.get(name)!r}")
    inside: Any = {".".join(rest): value} if rest else value
    for key, inner in inside.items():
        _put(part.called(options["kind"]), options, str(key).split("."), inner)
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
