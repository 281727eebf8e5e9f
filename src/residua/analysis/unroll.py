"""x_L = x_l + F_l + ... + F_(L-1) (He et al. 2016, eq. 4): where it holds, and by how much it fails elsewhere.

It holds along units whose shortcut and activation are identities and whose merge is the sum. A unit that changes the
shape ends a stretch of such sums: there is no x_l to add to; the next stretch begins behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from residua.analysis.finding import Curve, Finding, Panel
from residua.analysis.taps import Kind
from residua.analysis.visits import Visit, relative_errors, runs, visits
from residua.nn import Add, BranchOnly

_EXACT = 1e-12  # the rounding of a thousand sums in float64


@dataclass(frozen=True, kw_only=True)
class UnrolledUnit:
    """What one unit does to the sum. Errors are relative to the unit's output, the worst of the images."""

    unit: str
    kind: Kind
    stretch: int  # of units that keep the shape, counted from 1; 0 for one that changes it
    error: float | None  # |x_(l+1) - (x_l + F_l)| / |x_(l+1)|; None where the shape changes
    unrolled: float | None  # |x_L - (x_l + sum F)| / |x_L| from the stretch's first unit to this one
    spoilt_by: str  # what stands in the sum's way; empty if nothing does


@torch.no_grad()
def unroll(model: nn.Module, images: Tensor, labels: Tensor) -> list[UnrolledUnit]:
    """Every unit of a network against the sum, in float64 and evaluation mode, on a copy of ``model``.

    ``images`` is ``(N, C, H, W)``, normalised as in training; ``labels`` int64 ``(N,)``. Raises UsageError for a
    network without units.
    """
    found, stretch = [], 0
    for run in runs(visits(model, images, labels)):
        start, total = None, None  # x_l and the sum of the branches; None: no stretch is open
        for visit in run:
            spoilt = ", ".join(_obstacles(visit))
            if not visit.keeps_shape:
                start, total = None, None
                found.append(
                    UnrolledUnit(
                        unit=visit.name,
                        kind=visit.kind,
                        stretch=0,
                        error=None,
                        unrolled=None,
                        spoilt_by=spoilt,
                    )
                )
                continue
            branch = visit.branch(visit.x.clone())
            if start is None or total is None:
                stretch, start, total = stretch + 1, visit.x, torch.zeros_like(visit.x)
            total = total + branch
            found.append(
                UnrolledUnit(
                    unit=visit.name,
                    kind=visit.kind,
                    stretch=stretch,
                    error=float(relative_errors(visit.x + branch, visit.y).max()),
                    unrolled=float(relative_errors(start + total, visit.y).max()),
                    spoilt_by=spoilt,
                )
            )
    return found


def unroll_finding(model: nn.Module, images: Tensor, labels: Tensor) -> Finding:
    """``unroll`` as a finding: ``relative_error`` is that of the worst sum over a stretch of units."""
    found = unroll(model, images, labels)
    kept = [u for u in found if u.unrolled is not None]
    worst = max((u.unrolled for u in kept if u.unrolled is not None), default=None)
    spoilt = [u for u in kept if u.spoilt_by]
    depth = range(1, len(found) + 1)
    return Finding(
        kind="unroll",
        title="x_L = x_l + the sum of the branches",
        columns=("unit", "kind", "stretch", "error of the unit", "error of the sum", "what spoils it"),
        rows=[(u.unit, u.kind, u.stretch or None, u.error, u.unrolled, u.spoilt_by) for u in found],
        values={
            "relative_error": worst,
            "units": len(found),
            "spoilt": len(spoilt),
            "stretches": max(u.stretch for u in found),
            "images": len(images),
        },
        sentence=_sentence(len(found), len(kept), spoilt, worst),
        panels=[
            Panel(
                title="How far x_L is from x_l + sum F",
                x_label="unit, from input to output",
                y_label="relative error",
                curves=[
                    Curve(label="one unit", x=depth, y=[_positive(u.error) for u in found], style="points"),
                    Curve(
                        label="from the stretch's start", x=depth, y=[_positive(u.unrolled) for u in found]
                    ),
                ],
                log_y=True,
            )
        ],
    )


def _sentence(units: int, kept: int, spoilt: list[UnrolledUnit], worst: float | None) -> str:
    if worst is None:
        return f"None of the {units} units keeps the shape: there is nothing that could be added up."
    if worst < _EXACT:
        return f"x_L = x_l + sum F holds to {worst:.1e} in float64 ({kept} of {units} units keep the shape)."
    reasons = "; ".join(dict.fromkeys(u.spoilt_by for u in spoilt)) or "none is known to: look at the modules"
    return (
        f"x_L = x_l + sum F fails by up to {worst:.2g} of |x_L|: {len(spoilt)} of the {kept} units that keep the shape "
        f"are more than an identity and a sum ({reasons})."
    )


def _obstacles(visit: Visit) -> Iterator[str]:
    unit = visit.unit
    if not visit.keeps_shape:
        yield "the shape changes"
    if isinstance(unit.merge, BranchOnly):
        yield "there is no shortcut"
    else:
        if not isinstance(unit.shortcut, nn.Identity):
            yield f"{type(unit.shortcut).__name__} on the shortcut"
        if not isinstance(unit.merge, Add):
            yield f"{type(unit.merge).__name__} instead of the sum"
    if not isinstance(unit.activation, nn.Identity):
        parts = list(unit.activation) if isinstance(unit.activation, nn.Sequential) else [unit.activation]
        yield f"{', '.join(type(part).__name__ for part in parts)} after the merge"


def _positive(value: float | None) -> float:
    return value if value else float("nan")  # no place on a logarithmic axis
