"""Products of many factors: (1 - e)^L and (1 + e)^L, and what gradients are really multiplied by from unit to unit.

Write-ups set 0.9^99 = 3e-5, for a plain network, against 1.1^99 = 1.3e4, for a residual one, and call the second
bounded, or of polynomial growth. It is neither: (1 + e)^L is exponential in L for a fixed e, and is below exp(c) only
where the branches shrink with depth, e = c / L. Nor is it a lower bound: F = -e x gives (1 - e)^L.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from residua.analysis.finding import Curve, Finding, Panel
from residua.analysis.gradient import UnitGradient, gradient_norms
from residua.analysis.variants import counterparts, variants
from residua.analysis.visits import exact_copy
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
    if len(images) < 2:
        raise UsageError("a training step needs at least 2 images: batch statistics of one are no statistics")
    networks = [("as given", exact_copy(model).train())]
    networks += [(v.label, v.model) for v in variants(counterparts(model), seed=seed)]
    found = []
    for label, network in networks:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # dropout and drop path draw
            found.append(gains(label, gradient_norms(network, images.double(), labels)))
    if not found[0].gains:
        raise UsageError("a product needs at least 2 units")
    return found


def products_finding(model: nn.Module, images: Tensor, labels: Tensor, *, seed: int = 0) -> Finding:
    """The scalar example beside what the gradients of real networks are multiplied by."""
    scalars = [scalar_product(factor) for factor in (0.9, 1.1, 1 + 1 / EXAMPLE)]
    falling, rising, steady = (s.gradient for s in scalars)
    measured = measured_gains(model, images, labels, seed=seed)
    given = measured[0]
    lengths = (10, EXAMPLE, 1000)
    fixed = [scalar_product(1.1, n).gradient for n in lengths]
    shrinking = [scalar_product(1 + 1 / n, n).gradient for n in lengths]
    rows = [(f"scalar example, {s.factor:.3g}", s.length, s.factor, s.gradient) for s in scalars]
    rows += [(g.label, len(g.gains), g.mean, g.product) for g in measured]
    return Finding(
        kind="products",
        title="Products of many factors",
        columns=("network", "factors", "mean factor", "product"),
        rows=rows,
        values={
            "scalar_0.9": falling,
            "scalar_1.1": rising,
            "scalar_1_plus_1_over_L": steady,
            **{f"fixed_e_{n}": value for n, value in zip(lengths, fixed, strict=True)},
            **{f"e_over_L_{n}": value for n, value in zip(lengths, shrinking, strict=True)},
            "mean_factor": given.mean,
            "product": given.product,
            "images": len(images),
            "seed": seed,
        },
        sentence=(
            f"0.9^{EXAMPLE} = {falling:.3g} and 1.1^{EXAMPLE} = {rising:,.0f}: (1 + e)^L is exponential in L "
            f"({fixed[-1]:.2g} at L = {lengths[-1]}), and stays small only where e shrinks as 1 / L "
            f"({shrinking[-1]:.3g} at L = {lengths[-1]}). In this network a unit multiplies the gradient by "
            f"{given.mean:.3g} on the mean, {len(given.gains)} of them by {given.product:.3g}."
        ),
        panels=[_panel(measured)],
    )


def _panel(measured: Sequence[Gains]) -> Panel:
    depth = range(len(measured[0].gains) + 1)
    curves = [
        Curve(label=f"{base:g}^k", x=depth, y=[base**k for k in depth], style="dashed") for base in (0.9, 1.1)
    ]
    for found in measured:
        backward = [math.prod(found.gains[len(found.gains) - k :]) for k in depth]
        curves.append(Curve(label=found.label, x=depth, y=[value or math.nan for value in backward]))
    return Panel(
        title="What becomes of the gradient",
        x_label="units walked back from the last one",
        y_label="norm, relative to that at the last unit",
        curves=curves,
        log_y=True,
    )
