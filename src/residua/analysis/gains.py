"""Products of many factors: (1 - e)^L and (1 + e)^L, and what gradients are really multiplied by from unit to unit.

Write-ups set 0.9^99 = 3e-5, for a plain network, against 1.1^99 = 1.3e4, for a residual one, and call the second
bounded, or of polynomial growth. It is neither: (1 + e)^L is exponential in L for a fixed e, and is below exp(c) only
where the branches shrink with depth, e = c / L. Nor is it a lower bound: F = -e x gives (1 - e)^L.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from residua.analysis.gradient import UnitGradient, training_step_gradients
from residua.analysis.variants import counterparts, variants
from residua.errors import UsageError
from residua.nn import Chain, Residual

EXAMPLE = 99  # the write-ups' number of factors


@dataclass(frozen=True, kw_only=True)
class ScalarProduct:
    """A chain of ``length`` units x + F(x) with F = (factor - 1) x, and the gradient that arrives at its input."""

    factor: float
    length: int
    gradient: float


class Scaled(nn.Module):
    """The branch F(x) = scale * x, whose Jacobian is ``scale`` times the identity."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """Multiply."""
        return self.scale * x


def scalar_product(factor: float, length: int = EXAMPLE) -> ScalarProduct:
    """``factor ** length``, as autograd finds it in real residual units. Raises UsageError for a length below 1."""
    if length < 1:
        raise UsageError(f"a product has at least one factor, not {length}")
    chain = Chain(*(Residual(Scaled(factor - 1)) for _ in range(length)))
    x = torch.ones((), dtype=torch.float64, requires_grad=True)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(chain(x), x)
    return ScalarProduct(factor=factor, length=length, gradient=float(gradient))


@dataclass(frozen=True, kw_only=True)
class Gains:
    """By what the norm of the gradient is multiplied on its way through each unit, from output to input."""

    label: str
    gains: tuple[float, ...]  # |dL/dx_l| / |dL/dx_(l+1)|, from input to output; the last unit has none

    @property
    def product(self) -> float:
        """From the last unit's input to the first one's."""
        return math.prod(self.gains)

    @property
    def mean(self) -> float:
        """The geometric mean: the factor that the scalar example would have to take. NaN where no gradient arrives."""
        if not self.gains or not all(g > 0 and math.isfinite(g) for g in self.gains):
            return math.nan
        return math.exp(math.fsum(map(math.log, self.gains)) / len(self.gains))


def gains(label: str, units: Iterable[UnitGradient]) -> Gains:
    """Of what ``gradient_norms`` found."""
    return Gains(
        label=label,
        gains=tuple(a.norm / b.norm if b.norm else math.nan for a, b in pairwise(units)),
    )


def measured_gains(model: nn.Module, images: Tensor, labels: Tensor, *, seed: int = 0) -> list[Gains]:
    """A network as it is and its variants at initialisation (shortcuts, norms, He and Xavier), in a training step.

    In float64. ``images`` is ``(N, C, H, W)`` with N of 2 or more, ``labels`` int64 ``(N,)``. Raises UsageError for a
    network with fewer than 2 units, or fewer images.
    """
    networks = [("as given", model), *((v.label, v.model) for v in variants(counterparts(model), seed=seed))]
    found = [
        gains(label, training_step_gradients(network, images, labels, seed=seed))
        for label, network in networks
    ]
    if not found[0].gains:
        raise UsageError("a product needs at least 2 units")
    return found
