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

from residua.analysis.finding import Curve, Finding, Panel
from residua.analysis.jacobian import vjp
from residua.analysis.visits import Visit, runs, visits
from residua.errors import UsageError
from residua.nn import Residual

SCALES = (0.01, 0.1, 0.3, 1.0)
_ROWS = 256  # of a matrix that are computed at a time


def dense(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The Jacobian of ``function`` at one sample ``(1, ...)``, as a matrix (values out, values in).

    Rows are gradients of copies of the sample in one batch: in evaluation mode a network treats each on its own.
    """
    size = function(x).numel()
    rows = []
    for start in range(0, size, _ROWS):
        chosen = torch.eye(size, dtype=x.dtype, device=x.device)[start : start + _ROWS]
        value, pull = vjp(function, x.expand(len(chosen), *x.shape[1:]))
        rows.append(pull(chosen.view_as(value))[0].flatten(1))
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
def spectrum(units: Sequence[Visit], scale: float = 1.0) -> Spectrum:
    """Of units in a row that keep their shape, at the first image; what follows a scaled branch follows from it."""
    x = units[0].x[:1]
    product = torch.eye(x.numel(), dtype=x.dtype, device=x.device)
    norms = []
    for visit in units:
        jacobian = scale * dense(visit.branch, x)
        norms.append(float(torch.linalg.eigvalsh(jacobian.T @ jacobian)[-1].clamp(min=0).sqrt()))
        product = product + jacobian @ product
        unit = visit.unit
        x = unit.activation(unit.merge(x, unit.shortcut(x), scale * visit.branch(x)))
    values = torch.linalg.svdvals(product)
    return Spectrum(
        scale=scale,
        units=len(units),
        norms=tuple(norms),
        smallest=float(values[-1]),
        largest=float(values[0]),
    )


@torch.no_grad()
def real_factors(units: Sequence[Visit]) -> tuple[float, float]:
    """Smallest and largest singular value of the product of the whole Jacobians D (S + J), at the first image."""
    product = torch.eye(units[0].x[0].numel(), dtype=units[0].x.dtype, device=units[0].x.device)
    for visit in units:
        product = dense(partial(visit.unit, **visit.context), visit.x[:1]) @ product
    values = torch.linalg.svdvals(product)
    return float(values[-1]), float(values[0])


def longest_stretch(walked: Sequence[Visit], most: int) -> list[Visit]:
    """The most residual units in a row that keep a shape of at most ``most`` values; of two, the smaller.

    Raises UsageError where there is none.
    """
    stretches: list[list[Visit]] = []
    for run in runs(walked):
        previous = None
        for visit in run:
            fits = visit.kind == "residual" and visit.keeps_shape and visit.x[0].numel() <= most
            if fits and previous is not None:
                stretches[-1].append(visit)
            elif fits:
                stretches.append([visit])
            previous = visit if fits else None
    if not stretches:
        raise UsageError(
            f"no residual unit keeps a shape of at most {most} values: take smaller images, or allow larger matrices"
        )
    return max(stretches, key=lambda stretch: (len(stretch), -stretch[0].x[0].numel()))


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


def singular_finding(
    model: nn.Module, images: Tensor, labels: Tensor, *, scales: tuple[float, ...] = SCALES, most: int = 1024
) -> Finding:
    """The spectrum of a network's longest stretch, its branches at several scales, beside the ``counterexamples``.

    At the first image, in float64 and evaluation mode, on a copy of ``model``; matrices have at most ``most`` rows. The
    values are those of the last scale; ``real_*`` those of the units as they are, D (S + J). Raises UsageError where
    no residual unit keeps a shape that small, or without scales.
    """
    if not scales:
        raise UsageError("at least one scale is needed")
    stretch = longest_stretch(visits(model, images[:1], labels[:1]), most)
    found, against = [spectrum(stretch, scale) for scale in scales], counterexamples()
    real_smallest, real_largest = real_factors(stretch)
    last = found[-1]
    nothing, shrunk, nilpotent, _ = against
    rows = [
        (
            f"branches x {s.scale:g}",
            s.units,
            s.e,
            None,
            s.lower,
            s.smallest,
            s.largest,
            s.upper,
        )
        for s in found
    ]
    rows += [
        (
            c.name,
            c.units,
            c.norm,
            c.radius,
            max(1 - c.norm, 0.0) ** c.units,
            c.smallest,
            c.largest,
            (1 + c.norm) ** c.units,
        )
        for c in against
    ]
    below = [s for s in found if s.smallest < 1]
    return Finding(
        kind="singular",
        title="Singular values of the product of I + J",
        columns=(
            "units",
            "in a row",
            "e = max ||J||",
            "radius of J",
            "(1 - e)^L",
            "smallest",
            "largest",
            "(1 + e)^L",
        ),
        rows=rows,
        values={
            "units": last.units,
            "e": last.e,
            "lower": last.lower,
            "smallest": last.smallest,
            "largest": last.largest,
            "upper": last.upper,
            "real_smallest": real_smallest,
            "real_largest": real_largest,
            "minus_identity": nothing.largest,
            "minus_tenth_99": shrunk.largest,
            "nilpotent_radius": nilpotent.radius,
            "nilpotent_largest": nilpotent.largest,
        },
        sentence=(
            f"Over {last.units} units in a row the product of I + J multiplies a gradient by {last.smallest:.3g} to "
            f"{last.largest:.3g} (e = {last.e:.3g}), and by less than 1 in some direction at {len(below)} of "
            f"{len(found)} scales of the branches: no factor of at least 1 is assured. The whole units, "
            f"D(S + J), multiply it by {real_smallest:.3g} to {real_largest:.3g}. F = -x gives "
            f"{nothing.largest:.0f}; F = -x/10 over 99 units {shrunk.largest:.3g}; a J of spectral radius "
            f"{nilpotent.radius:.0f} gives {nilpotent.largest:.3g}."
        ),
        panels=[
            Panel(
                title="What a gradient can be multiplied by",
                x_label="e, the largest norm of a branch's Jacobian",
                y_label=f"singular values of the product over {last.units} units",
                curves=[
                    Curve(label="largest", x=[s.e for s in found], y=[s.largest for s in found]),
                    Curve(label="smallest", x=[s.e for s in found], y=[s.smallest for s in found]),
                    Curve(
                        label="(1 + e)^L", x=[s.e for s in found], y=[s.upper for s in found], style="dashed"
                    ),
                    Curve(
                        label="(1 - e)^L",
                        x=[s.e for s in found],
                        y=[s.lower or float("nan") for s in found],
                        style="dashed",
                    ),
                ],
                log_x=True,
                log_y=True,
            )
        ],
    )
