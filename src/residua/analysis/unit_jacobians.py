"""The gradient at a unit against the product of the units' Jacobians, each factor built from its part alone.

Write-ups of residual networks print ``dL/dx_l = dL/dx_L prod (I + J_i)``, J_i the Jacobian of the branch F_i. That is
exact only along identity shortcuts with nothing after the addition (He et al. 2016, eq. 5). A unit's real factor is
``D_i (S_i + J_i)``, with S_i the Jacobian of its shortcut and D_i that of what follows the sum; another merge (gates, a
concatenation) stands in for the sum by its own Jacobian. No matrix is formed: a gradient needs only the transposes.

Backward, the parts are differentiated by the same kernels as the network, so agreement is often to the last bit. A
second check shares nothing with them: a random direction is pushed through the factors by forward differentiation, and
the loss must change along what arrives as it does along what left.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from residua.analysis.unit_calls import UnitCall, runs, unit_calls
from residua.analysis.unit_parts import Kind, by_image

Pullback = Callable[[Tensor], Tensor]  # the transpose of a Jacobian, applied to a gradient


@dataclass(frozen=True, kw_only=True)
class Factors:
    """The transposed Jacobians of a unit's parts, each taken of that part alone at the values that it saw."""

    branch: Pullback  # J
    shortcut: Pullback  # S
    merge: Callable[
        [Tensor], tuple[Tensor, ...]
    ]  # M, to the unit's input (gates see it), shortcut and branch
    activation: Pullback  # D

    def pull(self, gradient: Tensor) -> Tensor:
        """The gradient at the unit's input, of that at its output."""
        at_x, at_shortcut, at_branch = self.merge(self.activation(gradient))
        return at_x + self.shortcut(at_shortcut) + self.branch(at_branch)


def factors(call: UnitCall) -> Factors:
    """What the unit really does: D, M, S and J."""
    unit, x = call.unit, call.x
    branch, to_branch = vjp(call.branch, x)
    shortcut, to_shortcut = vjp(unit.shortcut, x)
    merged, to_merge = vjp(unit.merge, x, shortcut, branch)
    _, to_activation = vjp(unit.activation, merged)
    return Factors(
        branch=lambda g: to_branch(g)[0],
        shortcut=lambda g: to_shortcut(g)[0],
        merge=to_merge,
        activation=lambda g: to_activation(g)[0],
    )


def naive_factors(call: UnitCall) -> Factors:
    """What the write-ups say: I + J, without D; J is that of what the branch adds. A unit that changes the shape keeps
    its S: I would not fit.

    A plain unit has no shortcut: its naive factor is J.
    """
    real = dataclasses.replace(factors(call), activation=_same)
    if call.kind == "plain" or not call.keeps_shape:
        return real
    _, to_added = vjp(call.added, call.x)
    return Factors(
        branch=lambda g: to_added(g)[0],
        shortcut=_same,
        merge=lambda g: (torch.zeros_like(g), g, g),
        activation=_same,
    )


def vjp(
    function: Callable[..., Tensor], *inputs: Tensor
) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor, ...]]]:
    """The function's value at ``inputs``, and its transposed Jacobian: a gradient at the value to those at them."""
    with torch.enable_grad():
        leaves = [value.detach().requires_grad_() for value in inputs]
        output = function(*(leaf.clone() for leaf in leaves))  # clones: what works in place may

    def pull(gradient: Tensor) -> tuple[Tensor, ...]:
        if not output.requires_grad:  # a constant
            return tuple(torch.zeros_like(leaf) for leaf in leaves)
        found = torch.autograd.grad(output, leaves, gradient, retain_graph=True, allow_unused=True)
        return tuple(torch.zeros_like(x) if g is None else g for g, x in zip(found, leaves, strict=True))

    return output.detach(), pull


def jvp(function: Callable[..., Tensor], *pairs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """The function's value at inputs, each given with a direction, and how it changes along these."""
    with forward_ad.dual_level():
        output = function(*(forward_ad.make_dual(x.clone(), direction) for x, direction in pairs))
        value, along = forward_ad.unpack_dual(output)
    return value, torch.zeros_like(value) if along is None else along


def push(call: UnitCall, direction: Tensor) -> Tensor:
    """A direction at a unit's input, carried to its output: ``D (S u + J u)``, each part by forward differentiation."""
    unit, start = call.unit, (call.x, direction)
    merged = jvp(unit.merge, start, jvp(unit.shortcut, start), jvp(call.branch, start))
    return jvp(unit.activation, merged)[1]


@dataclass(frozen=True, kw_only=True)
class UnitProduct:
    """The product of the factors from a unit to the end of its run, beside autograd's gradient at the unit's input."""

    unit: str
    kind: Kind
    run: int  # runs of consecutive units are counted from 1
    shortcut: str  # what stands on the shortcut
    activation: str  # what stands after the merge
    norm: float  # of autograd's gradient, over all images
    error: float  # |product - autograd| / |autograd|, the worst of the images
    naive_error: float  # the same of the product of I + J
    forward_error: (
        float | None
    )  # of the loss's change along a random direction; None: a part cannot be differentiated so


def products(
    run: Sequence[UnitCall], gradient: Tensor, of: Callable[[UnitCall], Factors] = factors
) -> list[Tensor]:
    """The gradients at the inputs of the units of a run, by the product, from the gradient at the run's end."""
    found = []
    for call in reversed(run):
        gradient = of(call).pull(gradient)
        found.append(gradient)
    return found[::-1]


def forward_errors(run: Sequence[UnitCall], seed: int = 0) -> list[float | None]:
    """Push a random direction u from the run's start: after every unit, gradient times direction must be the same.

    The difference is relative to the gradient's norm at the start, which is the size of ``g u`` there; the worst of the
    images. None where some operation has no forward derivative.
    """
    x, gradient = run[0].x, run[0].x_grad
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed), dtype=x.dtype).to(
        x.device
    )
    change, size = _along(run[0], gradient, direction), by_image(run[0].unit, gradient).flatten(1).norm(dim=1)
    found: list[float | None] = []
    for call in run:
        try:
            direction = push(call, direction)
        except (NotImplementedError, RuntimeError):
            return [*found, *[None] * (len(run) - len(found))]
        apart = (_along(call, call.y_grad, direction) - change).abs()
        found.append(float(torch.where(apart == 0, apart, apart / size).max()))
    return found


def jacobian(model: nn.Module, images: Tensor, labels: Tensor, *, seed: int = 0) -> list[UnitProduct]:
    """Every unit's gradient by the product of the factors behind it, against autograd's through the whole network.

    In float64, in evaluation mode (learned batch statistics), on a copy of ``model``. ``images`` is ``(N, C, H, W)``,
    ``labels`` int64 ``(N,)``; the loss is the mean cross entropy. The product runs over consecutive units; what follows
    a run (tail, head, a transition) gives the gradient at its end by autograd. ``seed`` draws the directions of the
    forward check. Raises UsageError for a network without units.
    """
    found = []
    for number, run in enumerate(runs(unit_calls(model, images, labels)), 1):
        end = run[-1].y_grad
        exact, naive = products(run, end), products(run, end, naive_factors)
        for call, real, simple, forward in zip(run, exact, naive, forward_errors(run, seed), strict=True):
            found.append(
                UnitProduct(
                    unit=call.name,
                    kind=call.kind,
                    run=number,
                    shortcut=_called(call.unit.shortcut),
                    activation=_called(call.unit.activation),
                    norm=float(call.x_grad.norm()),
                    error=call.worst_error(real, call.x_grad),
                    naive_error=call.worst_error(simple, call.x_grad),
                    forward_error=forward,
                )
            )
    return found


def _along(call: UnitCall, gradient: Tensor, direction: Tensor) -> Tensor:
    return by_image(call.unit, gradient * direction).flatten(1).sum(1)


def _same(gradient: Tensor) -> Tensor:
    return gradient


def _called(module: nn.Module) -> str:
    """The class of a part; of a sequence, what is in it."""
    parts: list[Any] = list(module) if type(module) is nn.Sequential else [module]
    return ", ".join(type(part).__name__ for part in parts)
