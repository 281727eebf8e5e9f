"""Checks that compute nothing: networks of any size, on the meta device."""

from __future__ import annotations

import json
import math

from residua.analysis.skeleton import skeleton, trace
from residua.nn import Merge, residual_units
from residua.registry import spec_from_dict
from residua.spec import ModelSpec


def spec_round_trip(spec: ModelSpec) -> None:
    """The spec survives JSON."""
    assert spec_from_dict(json.loads(json.dumps(spec.to_dict()))) == spec, (
        "the spec changes on the way through JSON"
    )


def builds_and_runs_without_numbers(spec: ModelSpec) -> None:
    """The network builds, keeps its spec, has parameters and takes its usual input."""
    bare = skeleton(spec)
    assert getattr(bare, "spec", None) == spec, "model.spec is not the spec that it was built from"
    assert sum(p.numel() for p in bare.parameters()) > 0, "there are no parameters"
    shape = spec.usual_input
    calls = trace(bare, shape)
    assert calls, "nothing was called"
    assert all(math.prod(call.output) > 0 for call in calls), "a layer gives nothing"


def units_are_residual(spec: ModelSpec) -> None:
    """Every merge belongs to a unit that ``residual_units`` lists."""
    bare = skeleton(spec)
    merges = {id(unit.merge) for unit in residual_units(bare).values()}
    strays = [name for name, m in bare.named_modules() if isinstance(m, Merge) and id(m) not in merges]
    assert not strays, f"{strays[0]} merges outside a Residual unit"


def no_parameter_has_two_names(spec: ModelSpec) -> None:
    """Safetensors refuses shared tensors: a tie belongs in the spec, not in two names."""
    names = [name for name, _ in skeleton(spec).named_parameters(remove_duplicate=False)]
    distinct = [name for name, _ in skeleton(spec).named_parameters()]
    assert names == distinct, f"{sorted(set(names) - set(distinct))} name parameters that have a name already"
