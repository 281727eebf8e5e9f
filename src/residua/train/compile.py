"""torch.compile on step functions. The user's model is never wrapped, so taps and state-dict keys stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from residua.nn.residual import Residual, residual_units
from residua.nn.reversible import Reversible

# Above this many units, compiling the whole network takes longer than it gives back: units alike share one kernel.
_WHOLE_NETWORK_UNITS = 60


def compile_scope(model: nn.Module, memory: str = "full") -> str:
    """What of a model is compiled: ``"network"``, or for very deep or randomly skipped ones ``"units"``.

    A network of 1202 layers is the same unit hundreds of times, stochastic depth per batch would otherwise compile
    every pattern of skipped units anew, and chains that are inverted, or computed again in segments, are Python's.
    """
    units = residual_units(model).values()
    skipping = any(unit.drop_path.rate and unit.drop_path.mode == "batch" for unit in units)
    inverting = any(isinstance(module, Reversible) for module in model.modules())
    by_units = memory == "low" or skipping or inverting or len(units) > _WHOLE_NETWORK_UNITS
    return "units" if by_units else "network"


def compiled(
    step: Callable[..., Any], model: nn.Module, scope: str, *, graphs: bool = False
) -> Callable[..., Any]:
    """``step`` compiled as ``scope`` says: ``"off"``, ``"network"`` or ``"units"`` (their branches).

    With ``graphs`` a whole network's kernels are launched at once by a CUDA graph; ``step`` gives a loss and sums then.
    """
    if scope == "off":
        return step
    if scope == "network":
        if graphs:
            return _replayed(torch.compile(step, dynamic=False, options={"triton.cudagraphs": True}))
        return torch.compile(step, dynamic=False)

    branches = {
        name: torch.compile(unit.branch.forward, dynamic=False)
        for name, unit in residual_units(model).items()
    }

    def run(*args: Any) -> Any:
        with _forwards(residual_units(model), branches):
            return step(*args)

    return run


def _replayed(graphed: Callable[..., tuple[Tensor, dict[str, Any]]]) -> Callable[..., Any]:
    """A step whose kernels a CUDA graph launches at once; its sums are copied, for the next replay overwrites them."""

    def run(*args: Any) -> tuple[Tensor, dict[str, Any]]:
        torch.compiler.cudagraph_mark_step_begin()
        loss, sums = graphed(*args)
        return loss, {name: value.clone() for name, value in sums.items()}

    return run


@contextmanager
def _forwards(units: dict[str, Residual], branches: dict[str, Callable[..., Any]]) -> Iterator[None]:
    """Lend each unit's branch its compiled forward; outside a step the modules are as the user made them."""
    for name, unit in units.items():
        unit.branch.forward = branches[name]
    try:
        yield
    finally:
        for unit in units.values():
            del unit.branch.forward
