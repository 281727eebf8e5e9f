"""Data and recipes of schema 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PLACES = {
    "data": {"context": "source.context"},
    "recipe": {
        "momentum": "optimizer.momentum",
        "nesterov": "optimizer.nesterov",
        "beta2": "optimizer.beta2",
        "milestones": "schedule.milestones",
        "gamma": "schedule.gamma",
        "label_smoothing": "task.label_smoothing",
        "pad": "augmentation.crop_flip.pad",
        "flip": "augmentation.crop_flip.flip",
    },
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


def read_data(values: Mapping[str, Any]) -> dict[str, Any]:
    """The context was every source's; text alone asks for it."""
    told = {name: value for name, value in values.items() if name != "context"}
    kind, _, path = str(told.get("source")).partition(":")
    if kind == "text":
        context = {"context": values["context"]} if "context" in values else {}
        told["source"] = {"kind": kind, "path": path or None, **context}
    return told


def read_recipe(values: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe; 0.1 stated no ``task``: a run's reader adds its family's."""
    read = {key: value for key, value in values.items() if key not in PLACES["recipe"]}
    for slot, (usual, kinds) in _RECIPE.items():
        kind = values.get(slot, usual)
        names = kinds.get(kind, {}) if isinstance(kind, str) else {}
        options = {now: values[old] for old, now in names.items() if old in values}
        if slot in values or options.get("label_smoothing") or slot != "task":
            read[slot] = {"kind": kind, **options}
    crop = {name: values[name] for name in ("pad", "flip") if name in values}
    return {**read, "augmentation": [{"kind": "crop_flip", **crop}]}
