"""Residual networks as the steps of an ODE solver, and the continuous block (Chen et al. 2018).

A residual unit x + h f(x) is Euler's step of x' = f(x) (Chen et al. 2018, sec. 1). An ``ODEBlock`` is the unit whose
branch is the displacement that the ODE makes, by whichever solver; with one Euler step it is the residual unit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.fx import Proxy

from residua.errors import UsageError
from residua.nn.drop import DropPath
from residua.nn.recording import as_leaf
from residua.nn.residual import Residual
from residua.nn.solver import Solver, State

Time = Tensor | float
Function = Callable[[Time, Tensor], Tensor]


def odeint(
    function: Function, x: Tensor, t0: Time = 0.0, t1: Time = 1.0, *, solver: Solver | None = None
) -> Tensor:
    """y(t1) of y' = function(t, y) with y(t0) = ``x``; ``t1`` may lie before ``t0``.

    Gradients flow back through the solver's steps to x, to the times and to whatever the function uses, and the
    memory that this takes grows with the number of steps. Raises ResiduaError where the solver does.
    """
    return x + _displacement(function, x, t0, t1, solver or Solver())


def odeint_adjoint(
    function: Function,
    x: Tensor,
    t0: Time = 0.0,
    t1: Time = 1.0,
    *,
    solver: Solver | None = None,
    parameters: Sequence[Tensor] | None = None,
) -> Tensor:
    """``odeint`` whose gradients come from the adjoint ODE (Chen et al. 2018, sec. 2): memory is constant in the steps.

    ``parameters`` get gradients beside x, t0 and t1: by default those of ``function``, if it is a Module. The
    gradients are those of the exact solution, as near as the solver's tolerances.
    """
    return x + _adjoint_displacement(function, x, t0, t1, solver or Solver(), parameters)


class Flow(nn.Module):
    """The displacement that y' = function(t, y) makes between ``t0`` and ``t1``: a branch. Keeps the shape.

    ``evaluations`` counts the function's evaluations since the last forward pass began, those of the adjoint included.
    """

    def __init__(
        self, function: nn.Module, t0: float = 0.0, t1: float = 1.0, *, solver: Solver, adjoint: bool = False
    ) -> None:
        super().__init__()
        for name, module in function.named_modules():
            # A function of time and state it must be: batch statistics change with every evaluation (of another time
            # and, in the adjoint, of another state), they would be updated a different number of times by each batch,
            # and they would make each sample's path depend on its neighbours'.
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                raise UsageError(
                    f"batch norm ({name}) inside an ODE makes its function change as it is solved: take group norm"
                )
        self.function = function
        self.t0, self.t1 = t0, t1
        self.solver = solver
        self.adjoint = adjoint
        self.evaluations = 0

    def forward(self, x: Tensor) -> Tensor:
        """Solve."""
        self.evaluations = 0
        if self.solver.steps is not None and not self.adjoint:
            return _displacement(self._evaluate, x, self.t0, self.t1, self.solver)
        if isinstance(x, Proxy):
            return as_leaf(self, x)
        if x.is_meta:
            return _displacement(self._evaluate, x, self.t0, self.t1, self.solver)
        if torch.compiler.is_exporting():
            raise UsageError(
                "a solver that chooses its steps by the values, and the adjoint, cannot be exported: "
                "give it a number of steps, and adjoint=False"
            )
        # An adaptive solver takes the rounding of bfloat16 for the error of its step, and shrinks it for ever: the
        # state is that of the weights whatever surrounds it, and no tolerance is below their rounding.
        x = x.to(next((p.dtype for p in self.function.parameters()), x.dtype))
        rounding = 4 * torch.finfo(x.dtype).eps
        solver = dataclasses.replace(
            self.solver, rtol=max(self.solver.rtol, rounding), atol=max(self.solver.atol, rounding)
        )
        with torch.autocast(x.device.type, enabled=False):
            return self._solve(x, solver)  # pyright: ignore[reportCallIssue]  # torch.compiler.disable hides the arguments

    @torch.compiler.disable  # its loop depends on values
    def _solve(self, x: Tensor, solver: Solver) -> Tensor:
        if self.adjoint:
            parameters = tuple(self.function.parameters())
            return _adjoint_displacement(self._evaluate, x, self.t0, self.t1, solver, parameters)
        return _displacement(self._evaluate, x, self.t0, self.t1, solver)

    def _evaluate(self, t: Time, y: Tensor) -> Tensor:
        self.evaluations += 1
        return self.function(t, y)

    def extra_repr(self) -> str:  # noqa: D102
        return f"t0={self.t0:g}, t1={self.t1:g}, solver={self.solver}, adjoint={self.adjoint}"


class ODEBlock(Residual):
    """The unit y(t1) = x + displacement, for y' = function(t, y), y(t0) = x (Chen et al. 2018, eq. 2).

    Args:
        function: called as ``function(t, y)``; gives y's shape. It must be the same function at every evaluation: no
            batch norm and no dropout.
        t0: where the time begins.
        t1: and where it ends.
        solver: Dormand-Prince with tolerances of 1e-3 by default.
        adjoint: gradients by the adjoint ODE, in memory that is constant in the number of steps.
        drop_path: as in ``Residual``.

    """

    def __init__(
        self,
        function: nn.Module,
        t0: float = 0.0,
        t1: float = 1.0,
        *,
        solver: Solver | None = None,
        adjoint: bool = False,
        drop_path: float | DropPath = 0.0,
    ) -> None:
        super().__init__(
            Flow(function, t0, t1, solver=solver or Solver(), adjoint=adjoint), drop_path=drop_path
        )


def refine(model: nn.Module, times: int) -> None:
    """Let every solver of a fixed number of steps in ``model`` take ``times`` as many: same weights, smaller steps.

    So a trained network becomes a deeper one at test time; if its units really are steps of an ODE its answers hardly
    change. Raises UsageError if the model has no such solver, or ``times`` is not 1 or more.
    """
    flows = [module for module in model.modules() if isinstance(module, Flow) and module.solver.steps]
    if not flows:
        raise UsageError("the model has no solver with a fixed number of steps to refine")
    if times < 1:
        raise UsageError(f"a refinement takes 1 or more times as many steps, not {times}")
    for flow in flows:
        assert flow.solver.steps is not None
        flow.solver = dataclasses.replace(flow.solver, steps=flow.solver.steps * times)


def _displacement(function: Function, x: Tensor, t0: Time, t1: Time, solver: Solver) -> Tensor:
    span = t1 - t0

    def slope(s: float, moved: State) -> State:
        return (span * function(t0 + s * span, x + moved[0]),)

    return solver.solve(slope, (x,))[0]


def _adjoint_displacement(
    function: Function,
    x: Tensor,
    t0: Time,
    t1: Time,
    solver: Solver,
    parameters: Sequence[Tensor] | None = None,
) -> Tensor:
    if parameters is None:
        parameters = tuple(function.parameters()) if isinstance(function, nn.Module) else ()
    wanted = [p for p in parameters if p.requires_grad]
    times = [torch.as_tensor(t, dtype=x.dtype, device=x.device) for t in (t0, t1)]
    return _Adjoint.apply(function, solver, x, *times, *wanted)


class _Adjoint(torch.autograd.Function):
    """Forward keeps x and y(t1), and nothing of the steps; backward solves the ODE of y, a = dL/dy and dL/dtheta back.

    a' = -a df/dy and (dL/dtheta)' = -a df/dtheta (Chen et al. 2018, eq. 4 and 5, Algorithm 1). The branch is
    d = y(t1) - x, so its gradient is what the adjoint gains on the way back, a(t0) - a(t1); the shortcut hands on the
    rest. Only y and a are held to the tolerances: dL/dtheta is an integral that they do not depend on (Kidger et al.
    2021). All is linear in a, so a is brought to size 1 first: gradients are as small as a batch is large.
    """

    @staticmethod
    def forward(
        ctx: Any, function: Function, solver: Solver, x: Tensor, t0: Tensor, t1: Tensor, *weights: Any
    ) -> Tensor:
        moved = _displacement(function, x, t0, t1, solver)
        ctx.function, ctx.solver = function, solver
        ctx.save_for_backward(x, x + moved, t0, t1, *weights)
        return moved

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  # torch names one
        x, y1, t0, t1, *weights = ctx.saved_tensors
        size = grads[0].abs().amax().clamp(min=torch.finfo(grads[0].dtype).tiny)
        a1 = grads[0] / size
        span = t0 - t1  # backward in time

        def vjp(t: Tensor, y: Tensor, a: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor, ...]:
            with torch.enable_grad(), torch.autocast(y.device.type, enabled=False):
                y = y.detach().requires_grad_()
                value = ctx.function(t, y)
                found = torch.autograd.grad(value, (y, *weights), a, allow_unused=True)
            filled = (
                torch.zeros_like(w) if g is None else g for g, w in zip(found, (y, *weights), strict=True)
            )
            return value.detach(), *filled

        def slope(s: float, moved: State) -> State:
            value, *products = vjp(t1 + s * span, y1 + moved[0], a1 + moved[1], weights)
            return span * value, *(-span * product for product in products)

        start = (y1, a1, *(torch.zeros_like(w) for w in weights))
        _, gained, *weight_grads = (size * part for part in ctx.solver.solve(slope, start, controlled=2))
        time_grads: list[Tensor | None] = [None, None]
        if any(ctx.needs_input_grad[3:5]):  # dL/dt1 = a f at the end, dL/dt0 = -a f at the start
            with torch.no_grad():
                at_start, at_end = ctx.function(t0, x), ctx.function(t1, y1)
            time_grads = [-((grads[0] + gained) * at_start).sum(), (grads[0] * at_end).sum()]
        return None, None, gained, *time_grads, *weight_grads
