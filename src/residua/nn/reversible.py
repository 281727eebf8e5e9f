"""Backpropagation without storing activations (Gomez et al. 2017): coupled units keep only the last one's output.

A unit adds to one stream a function of the other, which it leaves as it is: applied to its own output y it adds the
same again, so its input is ``y - (unit(y) - y)``. The backward pass goes from the last unit to the first, computes the
input of each from its output and its gradient from there: memory does not grow with the number of units (but by the
5 kB in which each remembers where the random numbers stood), and each is computed twice.

What comes back is the input but for rounding, and so are the gradients those of backpropagation: ``python -m
benchmarks.reversible`` measures how near. The streams are kept in the precision of the weights, whatever surrounds
them: bfloat16 would lose a little of the input in every unit.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import get_device_states, set_device_states

from residua.nn.coupling import Coupled
from residua.nn.recording import recorded
from residua.nn.residual import ContextModule, Residual, in_series
from residua.nn.statistics import frozen_statistics


class Reversible(nn.Sequential, ContextModule):  # pyright: ignore[reportIncompatibleVariableOverride]  # as Chain
    """A ``Chain`` whose coupled units are inverted in the backward pass of a training, where a Chain keeps activations.

    What cannot be inverted (a unit that changes its shape) keeps what it needs, as in a Chain.
    """

    def forward(self, input: Tensor, **context: Any) -> Tensor:
        """Apply the children in order."""
        if (
            not (self.training and torch.is_grad_enabled())
            or recorded(input)
            or torch.compiler.is_exporting()
        ):
            return in_series(self, input, **context)
        for inverts, modules in groupby(self, invertible):
            units = list(modules)
            # torch.compiler.disable hides the arguments from pyright
            input = _inverted(units, input, context) if inverts else in_series(units, input, **context)  # pyright: ignore[reportCallIssue]
        return input


def invertible(module: nn.Module) -> bool:
    """Whether a module is a unit whose input follows from its output."""
    return (
        isinstance(module, Residual)
        and isinstance(module.merge, Coupled)
        and isinstance(module.shortcut, nn.Identity)
        and isinstance(module.activation, nn.Identity)
    )


@torch.compiler.disable  # the backward pass is Python's
def _inverted(units: list[nn.Module], x: Tensor, context: dict[str, Any]) -> Tensor:
    parameters = [[p for p in unit.parameters() if p.requires_grad] for unit in units]
    wide = next((p.dtype for group in parameters for p in group), x.dtype)
    flat = [p for group in parameters for p in group]
    return _Inverted.apply(units, context, parameters, x.to(wide), *flat)


class _Inverted(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, units: Any, context: Any, parameters: Any, x: Tensor, *flat: Tensor) -> Tensor:
        kind = x.device.type
        enabled, dtype = torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)
        ctx.autocast = lambda: torch.autocast(kind, dtype, enabled)
        ctx.units, ctx.context, ctx.parameters, ctx.random = units, context, parameters, []
        for unit in units:
            ctx.random.append((torch.get_rng_state(), *get_device_states(x)))
            x = unit(x, **context)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  # torch names one
        (y,), (grad,) = ctx.saved_tensors, grads
        of_parameters: list[Tensor | None] = []
        for unit, parameters, (cpu, devices, states) in zip(
            reversed(ctx.units), reversed(ctx.parameters), reversed(ctx.random), strict=True
        ):
            y = y.detach().requires_grad_()
            with torch.random.fork_rng(devices), torch.enable_grad(), ctx.autocast(), frozen_statistics(unit):
                torch.set_rng_state(cpu)
                set_device_states(devices, states)
                again = unit(y, **ctx.context)
            grad, *found = torch.autograd.grad(again, (y, *parameters), grad, allow_unused=True)
            of_parameters = [*found, *of_parameters]
            y = y - (again - y)
        return None, None, None, grad, *of_parameters
