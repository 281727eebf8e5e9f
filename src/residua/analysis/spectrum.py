"""Singular values of a branch's Jacobian J, and of the product of I + J: what units can multiply a gradient by.

Write-ups say that a residual unit hands a gradient on "with a factor of at least 1", and that a Jacobian of spectral
radius r makes I + J about 1 + r. Neither holds. The smallest singular value of the product is only bounded by
(1 - e)^L, with e the largest norm of the J: for e = 0.1 and 99 units that is 0.9^99, the plain network's figure, and
F = -x gives exactly 0. And the radius says nothing of the norm: a nilpotent J has radius 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from residua.analysis.unit_calls import UnitCall, runs
from residua.analysis.unit_jacobians import vjp
from residua.analysis.unit_parts import repeated
from residua.errors import UsageError
from residua.nn import Residual

SCALES = (0.01, 0.1, 0.3, 1.0)
_ROWS = 256  # of a matrix that are computed at a time


def dense(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The Jacobian of ``function`` at one sample ``(1, ...)``, as a matrix (values out, values in).

    Rows are gradients of copies of the sample in one batch: in evaluation mode a network treats each on its own.
    """
    size = function(x).numel()  # x may have several rows: streams
    rows = []
    for start in range(0, size, _ROWS):
        chosen = torch.eye(size, dtype=x.dtype, device=x.device)[start : start + _ROWS]
        value, pull = vjp(function, repeated(x, len(chosen)))
        rows.append(pull(chosen.view_as(value))[0].reshape(len(chosen), -1))
    return torch.cat(rows)


@dataclass(frozen=True, kw_only=True)
class Spectrum:
    """Singular values along ``units`` units in a row, their branches multiplied by ``scale``."""

    scale: float
    units: int
    norms: tuple[float, ...]  # ||J||, each unit's largest singular value
    smallest: float  # of the product of I + J
    largest: float

    @property
    def e(self) -> float:
        """The largest of the norms."""
        return max(self.norms)

    @property
    def lower(self) -> float:
        """``(1 - e)^L``, which bounds ``smallest`` from below; 0 from e = 1 on."""
        return max(1 - self.e, 0.0) ** self.units

    @property
    def upper(self) -> float:
        """``(1 + e)^L``, which bounds ``largest`` from above."""
        return (1 + self.e) ** self.units


@torch.no_grad()
def spectrum(units: Sequence[UnitCall], scale: float = 1.0) -> Spectrum:
    """Of units in a row that keep their shape, at the first image; what follows a scaled branch follows from it."""
    x = units[0].sample
    product = torch.eye(x.numel(), dtype=x.dtype, device=x.device)
    norms = []
    for call in units:
        jacobian = scale * dense(call.added, x)
        norms.append(float(torch.linalg.eigvalsh(jacobian.T @ jacobian)[-1].clamp(min=0).sqrt()))
        product = product + jacobian @ product
        unit = call.unit
        x = unit.activation(unit.merge(x, unit.shortcut(x), scale * call.branch(x)))
    values = torch.linalg.svdvals(product)
    return Spectrum(
        scale=scale,
        units=len(units),
        norms=tuple(norms),
        smallest=float(values[-1]),
        largest=float(values[0]),
    )


@torch.no_grad()
def real_factors(units: Sequence[UnitCall]) -> tuple[float, float]:
    """Smallest and largest singular value of the product of the whole Jacobians D (S + J), at the first image."""
    product = torch.eye(units[0].sample.numel(), dtype=units[0].x.dtype, device=units[0].x.device)
    for call in units:
        product = dense(partial(call.unit, **call.context), call.sample) @ product
    values = torch.linalg.svdvals(product)
    return float(values[-1]), float(values[0])


def longest_stretch(calls: Sequence[UnitCall], most: int) -> list[UnitCall]:
    """The most residual units in a row that keep a shape of at most ``most`` values; of two, the smaller.

    Raises UsageError where there is none.
    """
    stretches: list[list[UnitCall]] = []
    for run in runs(calls):
        previous = None
        for call in run:
            fits = call.kind == "residual" and call.keeps_shape and call.sample.numel() <= most
            if fits and previous is not None:
                stretches[-1].append(call)
            elif fits:
                stretches.append([call])
            previous = call if fits else None
    if not stretches:
        raise UsageError(
            f"no residual unit keeps a shape of at most {most} values: take smaller images, or allow larger matrices"
        )
    return max(stretches, key=lambda stretch: (len(stretch), -stretch[0].sample.numel()))


@dataclass(frozen=True, kw_only=True)
class Counterexample:
    """A unit x + F(x) on two values, against what is said of it."""

    name: str
    units: int
    norm: float  # ||J||
    radius: float  # the largest |eigenvalue| of J
    smallest: float  # singular value of the product of I + J
    largest: float


_BRANCHES: tuple[tuple[str, list[list[float]], int], ...] = (
    ("F = -x", [[-1.0, 0.0], [0.0, -1.0]], 1),
    ("F = -x / 10", [[-0.1, 0.0], [0.0, -0.1]], 99),
    ("nilpotent J", [[0.0, 1.0], [0.0, 0.0]], 1),
    ("rotation by 90 degrees", [[0.0, -1.0], [1.0, 0.0]], 1),
)


def counterexamples() -> list[Counterexample]:
    """Units that break what is said: measured of real ones, as any other."""
    found = []
    for name, matrix, length in _BRANCHES:
        branch = nn.Linear(2, 2, bias=False, dtype=torch.float64)
        with torch.no_grad():
            branch.weight.copy_(torch.tensor(matrix, dtype=torch.float64))
        x = torch.ones(1, 2, dtype=torch.float64)
        jacobian = dense(branch, x)
        values = torch.linalg.svdvals(dense(nn.Sequential(*[Residual(branch)] * length), x))
        found.append(
            Counterexample(
                name=name,
                units=length,
                norm=float(torch.linalg.svdvals(jacobian)[0]),
                radius=float(torch.linalg.eigvals(jacobian).abs().max()),
                smallest=float(values[-1]),
                largest=float(values[0]),
            )
        )
    return found
