"""What the registered networks cost, counted beforehand, so that a list of them needs neither torch nor a count.

``python -m residua.analysis.listed_costs`` counts them all and writes the table anew. A network whose spec is not
the one that the table knows (a user's own, one that was changed since) is counted when it is asked for.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from residua.files import read_json, write_text
from residua.registry import list_models, model_spec
from residua.spec import ModelSpec

TABLE = Path(__file__).with_name("listed_costs.json")


def listed_totals(spec: ModelSpec) -> tuple[int, int]:
    """Parameters and multiply-adds of a network at its usual input, as ``totals`` counts them."""
    known, parameters, multiply_adds = table().get(spec.name, ("", 0, 0))
    return (parameters, multiply_adds) if known == digest(spec) else _counted(spec)


def digest(spec: Any) -> str:
    """What the counts follow from: the family, the fields that are not the family's defaults, the usual input."""
    own = {
        field.name: value
        for field in dataclasses.fields(spec)
        if (value := getattr(spec, field.name)) != field.default
    }
    told = json.dumps([spec.family, own, spec.usual_input], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()[:12]


@cache
def table() -> dict[str, tuple[str, int, int]]:
    """Name to digest, parameters and multiply-adds."""
    return {name: tuple(row) for name, row in read_json(TABLE).items()}


def _counted(spec: Any) -> tuple[int, int]:
    from residua.analysis.cost import totals

    return totals(spec, spec.usual_input)


def _write() -> None:
    specs = map(model_spec, list_models())
    rows = (f"{json.dumps(spec.name)}: {json.dumps([digest(spec), *_counted(spec)])}" for spec in specs)
    write_text(TABLE, "{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    _write()
