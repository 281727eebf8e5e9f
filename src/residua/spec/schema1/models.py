"""Networks of schema 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_Places = dict[str, str | tuple[str, ...]]
_DROP_PATH: _Places = {"drop_path_rule": "drop_path.rule", "drop_path_mode": "drop_path.mode"}
# table -> what its specs called what has another place now, which may be several
PLACES: dict[str, _Places] = {
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


def read_model(table: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The table of a network; its keys may still be the old ones."""
    values = dict(values)
    if table == "resnet":
        unit, merge = (str(values.get(slot, usual)) for slot, usual in (("unit", "basic"), ("merge", "add")))
        ignored = [
            *_OF_KIND.get(unit, ()),
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
