"""What version 0.1 wrote (schema 1), in the words of today: flat tables, whose options belong to parts now.

``read`` reads its files. Its names stay shorthands too: ``dropout=0.3`` is ``unit.dropout``, and refused by a unit that
has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# table -> key of schema 1 -> where it stands now
PLACES: dict[str, dict[str, str]] = {
    "model": {},
    "data": {"context": "source.context"},
    "recipe": {"pad": "augmentation.crop_flip.pad", "flip": "augmentation.crop_flip.flip"},
    "plan": {},
}


def place(table: str, name: str) -> str:
    """Where what schema 1 called ``name`` stands now."""
    return PLACES.get(table, {}).get(name, name)


def read(table: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The table of a spec of schema 1 (``"model"``, ``"data"``, ``"recipe"`` or ``"plan"``) as one of schema 2."""
    return {**_READERS.get(table, dict)(values), "schema": 2}


def _data(values: Mapping[str, Any]) -> dict[str, Any]:
    """The context was every source's; text alone asks for it."""
    told = {name: value for name, value in values.items() if name != "context"}
    kind, _, path = str(told.get("source")).partition(":")
    if kind == "text":
        context = {"context": values["context"]} if "context" in values else {}
        told["source"] = {"kind": kind, "path": path or None, **context}
    return told


def _recipe(values: Mapping[str, Any]) -> dict[str, Any]:
    crop = {name: values[name] for name in ("pad", "flip") if name in values}
    told = {name: value for name, value in values.items() if name not in crop}
    return {**told, "augmentation": [{"kind": "crop_flip", **crop}]} if crop else told


_READERS = {"data": _data, "recipe": _recipe}
