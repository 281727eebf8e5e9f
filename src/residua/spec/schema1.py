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
    "data": {},
    "recipe": {
        "momentum": "optimizer.momentum",
        "nesterov": "optimizer.nesterov",
        "beta2": "optimizer.beta2",
        "milestones": "schedule.milestones",
        "gamma": "schedule.gamma",
        "label_smoothing": "task.label_smoothing",
    },
    "plan": {},
}
# the parts of a recipe: the usual kind, and the options that each kind had (0.1 ignored the others), by their names now
_RECIPE: dict[str, tuple[str, dict[str, dict[str, str]]]] = {
    "optimizer": (
        "sgd",
        {
            "sgd": {"momentum": "momentum", "nesterov": "nesterov"},
            "adamw": {"momentum": "beta1", "beta2": "beta2"},
        },
    ),
    "schedule": ("step", {"step": {"milestones": "milestones", "gamma": "gamma"}}),
    "task": (
        "classification",
        {kind: {"label_smoothing": "label_smoothing"} for kind in ("classification", "segmentation")},
    ),
}


def place(table: str, name: str) -> str:
    """Where what schema 1 called ``name`` stands now."""
    return PLACES.get(table, {}).get(name, name)


def read(table: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The table of a spec of schema 1 (``"model"``, ``"data"``, ``"recipe"`` or ``"plan"``) as one of schema 2."""
    return {**(_recipe(values) if table == "recipe" else values), "schema": 2}


def _recipe(values: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe; 0.1 stated no ``task``: a run's reader adds its family's."""
    read = {key: value for key, value in values.items() if key not in PLACES["recipe"]}
    for slot, (usual, kinds) in _RECIPE.items():
        kind = values.get(slot, usual)
        names = kinds.get(kind, {}) if isinstance(kind, str) else {}
        options = {now: values[old] for old, now in names.items() if old in values}
        if slot in values or options.get("label_smoothing") or slot != "task":
            read[slot] = {"kind": kind, **options}
    return read
