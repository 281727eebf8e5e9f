"""What version 0.1 wrote (schema 1), in the words of today: flat tables, whose options belong to parts now.

``read`` reads its files. Its names stay shorthands too: ``dropout=0.3`` is ``unit.dropout``, and refused by a unit that
has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DROP_PATH = {"drop_path_rule": "drop_path.rule", "drop_path_mode": "drop_path.mode"}
# what the specs of a table called what has another place now, which may be several
PLACES: dict[str, dict[str, str | tuple[str, ...]]] = {
    "model": _DROP_PATH,
    "resnet": {
        **_DROP_PATH,
        **{
            name: f"unit.{name}"
            for name in ("expansion", "stride_on", "cardinality", "path_width", "dropout")
        },
        "stem_width": "stem.width",
        "shortcut_scale": "merge.shortcut",
        "branch_scale": "merge.branch",
        "gate_bias": "merge.bias",
    },
    "resnest": {
        **_DROP_PATH,
        **{
            name: f"unit.{name}" for name in ("radix", "cardinality", "base_width", "pool_first", "expansion")
        },
        "stem_width": "stem.width",
    },
    "densenet": {
        **_DROP_PATH,
        "growth_rate": "unit.growth_rate",
        "bottleneck": "unit.bottleneck",
        "dropout": ("unit.dropout", "transition.dropout"),
        "compression": "transition.compression",
        "width": "stem.width",
    },
    "data": {},
    "recipe": {},
    "plan": {},
}
# options that 0.1 stated of every network, and ignored where the part was of another kind
_OF_KIND = {
    "basic": ("expansion", "stride_on", "cardinality", "path_width"),
    "one_layer": ("expansion", "stride_on", "cardinality", "path_width"),
}
_OF_MERGE = {
    "constant_scaling": ("shortcut_scale", "branch_scale"),
    "exclusive_gating": ("gate_bias",),
    "shortcut_only_gating": ("gate_bias",),
}


def places(table: str, name: str) -> tuple[str, ...]:
    """Where what schema 1 called ``name`` stands now."""
    place = PLACES.get(table, {}).get(name, name)
    return (place,) if isinstance(place, str) else place


def read(table: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The table of a spec of schema 1, in the words of today; its keys may still be the old ones."""
    values = {**values, "schema": 2}
    if table == "resnet":
        merge = values.get("merge", "add")
        ignored = [
            *_OF_KIND.get(values.get("unit", "basic"), ()),
            *(
                name
                for kind, names in _OF_MERGE.items()
                for name in names
                if name not in _OF_MERGE.get(merge, ())
            ),
        ]
        return {name: value for name, value in values.items() if name not in ignored}
    if table == "densenet" and values.get("stem") == "cifar":  # 0.1 left norm and ReLU to the first layer
        values["stem"] = "cifar-conv"
    if table == "resnest" and values.get("stem", "imagenet") == "imagenet":
        values["stem"] = "deep"
    return values
