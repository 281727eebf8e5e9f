"""Residual units as Euler steps of an ODE (Chen et al. 2018, sec. 1; claim: a ResNet discretises one).

If x + f(x) is one step of size 1 of x' = f(x), then n steps of size 1/n with the same f come nearer to the ODE's
solution, with an error that halves with the step (Euler's method is of order 1), and the network's answers hardly
change. Both are measured on a network as it is: convergence says that the ODE exists, unchanged answers that the
network computes with it.

What can be refined: units with the identity as shortcut, a sum, and nothing after it, or a ReLU. The ReLU of the
original unit is the projection onto x >= 0, and a projected Euler step is relu(x + h f(x)). ODE blocks, however they
are solved, take steps of Euler's method over their own time. Units that change the shape, scale their shortcut, or
normalise after the sum are no steps of an ODE, and stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from residua.analysis.finding import Cell, Curve, Finding, Panel
from residua.analysis.taps import predicting, untouched
from residua.errors import UsageError
from residua.nn import Add, ContextModule, Residual, residual_units
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


def euler_finding(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    finest: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> Finding:
    """Error of the logits and accuracy of a network whose units take 1, 2, 4, ... up to ``finest`` Euler steps.

    ``images`` is ``(N, C, H, W)``, normalised as in training, ``labels`` int64 ``(N,)``. The error is the root mean
    square of the difference of the logits over that of the reference's: the adaptive solver (Dormand-Prince, tolerances
    of 1e-6 in float32, 1e-8 in float64) for ODE blocks, else twice as many steps as ``finest``. The observed order is
    the base-2 logarithm of the ratio of the changes of the logits from one step size to the next, which needs no
    reference (Richardson). Measured as the network predicts, and afterwards unchanged.

    Raises UsageError for a network in which no unit can be refined and for ``finest`` below 2.
    """
    if finest < 2:
        raise UsageError(f"finest must be at least 2 steps, not {finest}")
    units, everything = refinable(model), residual_units(model)
    flows = [name for name, unit in units.items() if isinstance(unit.branch, Flow)]
    counts = [2**i for i in range(int(math.log2(finest)) + 1)]
    solved = bool(units) and len(flows) == len(units)
    runs: list[Callable[[], Any]] = [lambda n=n: refined(model, n) for n in [*counts, 2 * counts[-1]]]
    if solved:
        tolerance = _EXACT.get(images.dtype, 1e-6)
        exact = Solver(method="dopri5", rtol=tolerance, atol=tolerance, max_steps=10_000)
        runs[-1] = lambda: _stepping(units, lambda _: exact, 1)
    answers = []
    with predicting(model), untouched(model), torch.no_grad():
        plain = model(images).double()
        for done, run in enumerate(runs):
            with run():
                answers.append(model(images).double())
            if progress is not None:
                progress(done + 1, len(runs))
    *coarse, reference = answers
    errors = [_relative(answer, reference) for answer in coarse]
    changes = [float((b - a).norm()) for a, b in pairwise(answers)]
    orders: list[Cell] = [None, *(_order(a, b) for a, b in pairwise(changes))]
    if solved:  # against the solution itself the errors tell
        orders = [None, *(_order(a, b) for a, b in pairwise(errors))]
    orders = orders[: len(counts)]
    unrefined = plain.argmax(1)
    rows: list[tuple[Cell, ...]] = [
        (n, 1 / n, error, order, _share(answer.argmax(1), unrefined), _share(answer.argmax(1), labels))
        for n, error, order, answer in zip(counts, errors, orders, coarse, strict=True)
    ]
    name = "the adaptive solver" if solved else f"{2 * counts[-1]} steps a unit"
    values: dict[str, Cell] = {
        "units": len(everything),
        "refined_units": len(units),
        "projected_units": sum(isinstance(unit.activation, nn.ReLU) for unit in units.values()),
        "unrefined_error": _relative(plain, reference),
        "finest_error": errors[-1],
        "observed_order": orders[-1],
        "accuracy": _share(unrefined, labels),
        "finest_accuracy": rows[-1][-1],
        "finest_agreement": rows[-1][-2],
        "reference_accuracy": _share(reference.argmax(1), labels),
        "reference": name,
    }
    h = [1 / n for n in counts]
    base = 0.0 if solved else h[-1] / 2  # an error of first order against the reference's own step
    first_order = [errors[-1] * (step - base) / (h[-1] - base) for step in h]
    return Finding(
        kind="euler",
        title="Units as Euler steps",
        columns=("steps", "h", "error", "order", "agreement", "accuracy"),
        rows=rows,
        values=values,
        sentence=_sentence(values, counts[-1]),
        panels=[
            Panel(
                title="Error of the logits",
                x_label="step size h (1: one step a unit)",
                y_label="relative to the reference's",
                curves=[
                    Curve(label="measured", x=h, y=errors),
                    Curve(label="first order", x=h, y=first_order, style="dashed"),
                ],
                log_x=True,
                log_y=True,
            ),
            Panel(
                title="Answers",
                x_label="step size h (1: one step a unit)",
                y_label="share of the images",
                curves=[
                    Curve(label="right answers", x=h, y=[float(row[-1] or 0) for row in rows]),
                    Curve(label="same answer as at h = 1", x=h, y=[float(row[-2] or 0) for row in rows]),
                ],
                log_x=True,
            ),
        ],
    )


def _is_step(unit: Residual) -> bool:
    return (
        type(unit.shortcut) is nn.Identity
        and type(unit.merge) is Add
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
        takes_context = isinstance(unit.branch, ContextModule)
        for _ in range(count):
            branch = unit.branch(x, **context) if takes_context else unit.branch(x)
            x = unit.activation(x + unit.drop_path(branch) / count)
        return x

    return hook


def _relative(answer: Tensor, reference: Tensor) -> float:
    return float((answer - reference).norm() / reference.norm())


def _order(coarse: float, fine: float) -> float | None:
    return math.log2(coarse / fine) if coarse > 0 and fine > 0 else None


def _share(answers: Tensor, expected: Tensor) -> float:
    return float((answers == expected).double().mean())


def _sentence(values: Mapping[str, Any], finest: int) -> str:
    left = values["units"] - values["refined_units"]
    rest = f"; the other {left} cannot be (they change the shape, or are no x + f(x))" if left else ""
    projected = values["projected_units"]
    relu = f", {projected} of them projected (a ReLU after the sum)" if projected else ""
    order = values["observed_order"]
    converges = (
        "no order could be observed" if order is None else f"the observed order is {order:.2f} (Euler's is 1)"
    )
    return (
        f"{values['refined_units']} of {values['units']} units were refined into Euler steps{relu}{rest}. As it is, "
        f"the network's logits differ by {values['unrefined_error']:.2g} (relative) from those of "
        f"{values['reference']}, with {finest} steps a unit by {values['finest_error']:.2g}; {converges}. Accuracy is "
        f"{values['accuracy']:.1%} as it is and {values['finest_accuracy']:.1%} with {finest} steps, where "
        f"{values['finest_agreement']:.1%} of the answers are still the same."
    )
