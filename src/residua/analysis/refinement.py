"""Residual units as Euler steps of an ODE (Chen et al. 2018, sec. 1; claim: a ResNet discretises one).

If x + f(x) is one step of size 1 of x' = f(x), then n steps of size 1/n with the same f come nearer to the ODE's
solution, with an error that halves with the step (Euler's method is of order 1), and the network's answers hardly
change. Both are measured on a network as it is: convergence says that the ODE exists, unchanged answers that the
network computes with it.

What can be refined: units with the identity as shortcut, a sum, and nothing after it, or a ReLU. The ReLU of the
original unit is the projection onto x >= 0, and a projected Euler step is relu(x + h f(x)). ODE blocks, however they
are solved, take steps of Euler's method over their own time. Units that change the shape, scale their shortcut, or
normalise after the sum are no steps of an ODE, and stay as they are; so do coupled ones, whose branch reads a stream
that the unit does not change: refined, they give the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from residua.analysis.unit_parts import added, branch_of, is_plain_sum
from residua.analysis.untouched import predicting, untouched
from residua.errors import UsageError
from residua.nn import Residual, residual_units
from residua.nn.ode import Flow
from residua.nn.solver import Solver

_EXACT = {torch.float32: 1e-6, torch.float64: 1e-8}  # tolerances of the solver that stands for the solution


def refinable(model: nn.Module) -> dict[str, Residual]:
    """The units that are steps of an ODE, by name."""
    return {name: unit for name, unit in residual_units(model).items() if _is_step(unit)}


@contextmanager
def refined(model: nn.Module, steps: int) -> Iterator[None]:
    """While open, every unit that is a step of size 1 is ``steps`` steps of size 1 / ``steps``, with the same weights.

    Raises UsageError without such units, and for less than one step.
    """
    if steps < 1:
        raise UsageError(f"a unit is refined into 1 or more steps, not {steps}")
    units = refinable(model)
    if not units:
        raise UsageError(
            "no unit can be refined: that takes an identity shortcut, a sum, and a ReLU or nothing after it"
        )
    with _stepping(units, lambda flow: Solver(method="euler", steps=steps * (flow.solver.steps or 1)), steps):
        yield


def solvable(units: Mapping[str, Residual]) -> bool:
    """Whether all of them are ODE blocks, whose solution an adaptive solver knows."""
    return bool(units) and all(isinstance(unit.branch, Flow) for unit in units.values())


def refinement(
    model: nn.Module,
    images: Tensor,
    counts: Sequence[int],
    progress: Callable[[int, int], None] | None = None,
) -> list[Tensor]:
    """Logits ``(N, K)`` in float64: of the network as it is, with each of ``counts`` steps a unit, and the reference.

    The reference is the adaptive solver (Dormand-Prince, tolerances of 1e-6 in float32, 1e-8 in float64) for ODE
    blocks, else twice as many steps as the last. The network is measured as it predicts and is afterwards unchanged.
    Raises UsageError as ``refined``.
    """
    units = refinable(model)
    refinements = [refined(model, n) for n in (*counts, 2 * counts[-1])]
    if solvable(units):
        tolerance = _EXACT.get(images.dtype, 1e-6)
        exact = Solver(method="dopri5", rtol=tolerance, atol=tolerance, max_steps=10_000)
        refinements[-1] = _stepping(units, lambda _: exact, 1)
    with predicting(model), untouched(model), torch.no_grad():
        answers = [model(images).double()]
        for done, opened in enumerate(refinements, 1):
            with opened:
                answers.append(model(images).double())
            if progress is not None:
                progress(done, len(refinements))
    return answers


def _is_step(unit: Residual) -> bool:
    return (
        type(unit.shortcut) is nn.Identity
        and is_plain_sum(unit)
        and unit.merge.streams == 1
        and isinstance(unit.activation, nn.Identity | nn.ReLU)
    )


@contextmanager
def _stepping(units: Mapping[str, Residual], solver: Callable[[Flow], Solver], steps: int) -> Iterator[None]:
    """While open, ODE blocks solve by ``solver`` of their flow, other units take ``steps`` steps."""
    handles, kept = [], []
    for unit in units.values():
        if isinstance(unit.branch, Flow):
            kept.append((unit.branch, unit.branch.solver))
            unit.branch.solver = solver(unit.branch)
        elif steps > 1:
            handles.append(unit.register_forward_hook(_steps(steps), with_kwargs=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for flow, before in kept:
            flow.solver = before


def _steps(count: int) -> Any:
    def hook(unit: Residual, args: tuple[Tensor, ...], context: dict[str, Any], output: Tensor) -> Tensor:
        x = args[0]
        for _ in range(count):
            step = added(unit, x, x, branch_of(unit, x, context))
            x = unit.activation(x + step / count)
        return x

    return hook
