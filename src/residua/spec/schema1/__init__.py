"""What version 0.1 wrote (schema 1), in the words of today: flat tables, whose options belong to parts now.

``read`` reads its files. Its names stay shorthands too: ``dropout=0.3`` is ``unit.dropout``, and refused by a unit that
has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from residua.spec.schema1 import models, training

_PLACES = {**models.PLACES, **training.PLACES}
_READERS = {"data": training.read_data, "recipe": training.read_recipe, "plan": dict}


def places(table: str, name: str) -> tuple[str, ...]:
    """Where what schema 1 called ``name`` stands now, which may be several places."""
    place = _PLACES.get(table, {}).get(name, name)
    return (place,) if isinstance(place, str) else place


def read(table: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The table of a spec of schema 1 in the words of today; ``table`` is what its class calls itself."""
    reader = _READERS.get(table)
    return {**(reader(values) if reader else models.read_model(table, values)), "schema": 2}
