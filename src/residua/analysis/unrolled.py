"""x_L = x_l + F_l + ... + F_(L-1) (He et al. 2016, eq. 4): where it holds, and by how much it fails elsewhere.

It holds along units whose shortcut and activation are identities and whose merge is the sum. A unit that changes the
shape ends a stretch of such sums: there is no x_l to add to; the next stretch begins behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from residua.analysis.unit_calls import UnitCall, runs, unit_calls
from residua.analysis.unit_parts import Kind, is_plain_sum


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
    for run in runs(unit_calls(model, images, labels)):
        start, total = None, None  # x_l and the sum of the branches; None: no stretch is open
        for call in run:
            spoilt = ", ".join(_obstacles(call))
            if not call.keeps_shape:
                start, total = None, None
                found.append(
                    UnrolledUnit(
                        unit=call.name,
                        kind=call.kind,
                        stretch=0,
                        error=None,
                        unrolled=None,
                        spoilt_by=spoilt,
                    )
                )
                continue
            branch = call.added(call.x.clone())
            if start is None or total is None:
                stretch, start, total = stretch + 1, call.x, torch.zeros_like(call.x)
            total = total + branch
            found.append(
                UnrolledUnit(
                    unit=call.name,
                    kind=call.kind,
                    stretch=stretch,
                    error=call.worst_error(call.x + branch, call.y),
                    unrolled=call.worst_error(start + total, call.y),
                    spoilt_by=spoilt,
                )
            )
    return found


def _obstacles(call: UnitCall) -> Iterator[str]:
    unit = call.unit
    if not call.keeps_shape:
        yield "the shape changes"
    if call.kind == "plain":
        yield "there is no shortcut"
    else:
        if not isinstance(unit.shortcut, nn.Identity):
            yield f"{type(unit.shortcut).__name__} on the shortcut"
        if not is_plain_sum(unit):
            yield f"{type(unit.merge).__name__} instead of the sum"
    if not isinstance(unit.activation, nn.Identity):
        parts = list(unit.activation) if isinstance(unit.activation, nn.Sequential) else [unit.activation]
        yield f"{', '.join(type(part).__name__ for part in parts)} after the merge"
