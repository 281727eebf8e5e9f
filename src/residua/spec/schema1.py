"""What version 0.1 wrote (schema 1), in the words of today: flat tables, whose options belong to parts now.

``read`` reads its files. Its names stay shorthands too: ``dropout=0.3`` is ``unit.dropout``, and refused by a unit that
has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# table -> key of schema 1 -> where it stands now
PLACES: dict[str, dict[str, str]] = {"model": {}, "data": {}, "recipe": {}, "plan": {}}


def place(table: str, name: str) -> str:
    """Where what schema 1 called ``name`` stands now."""
    return PLACES.get(table, {}).get(name, name)


def read(table: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The table of a spec of schema 1 (``"model"``, ``"data"``, ``"recipe"`` or ``"plan"``) as one of schema 2."""
    return {**values, "schema": 2}
