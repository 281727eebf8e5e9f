"""Runge-Kutta methods as data, and the two ways to step with them: a fixed number of times, or as exactly as asked.

What is solved is the *displacement* d of y' = f(t, y), y(t0) = x: the d with y(t1) = x + d. So the solution of an ODE
is the branch of a residual unit whose shortcut is the identity, and one Euler step gives exactly h f(x).

Why not torchdiffeq (0.2.5)? It is a reference of the tests, which measure what follows (tests/nn/test_torchdiffeq.py):
neither torch.export nor torch.fx follows its fixed steps; it holds the error of the whole batch to the tolerance, so
that what a sample gets depends on its neighbours (one hard sample among 500 easy ones is 32 times less exact). And it
brings SciPy, which weighs 143 MB and takes two seconds to import beside torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from residua.errors import ResiduaError, UsageError, nearest

State = tuple[Tensor, ...]
# slope(s, displacement) for s in [0, 1]: the solver knows no other time, so that it never runs backward
Slope = Callable[[float, State], State]

# Hairer, Norsett & Wanner 1993, sec. II.4: how cautious, and how fast a step may shrink and grow
_SAFETY, _SHRINK, _GROW = 0.9, 0.2, 10.0


@dataclass(frozen=True)
class Tableau:
    """An explicit Runge-Kutta method (Butcher 1963): ``stages[i]`` are the weights of the slopes before slope i + 1."""

    order: int
    stages: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]
    # what the embedded method of lower order has of each slope; none: the method cannot tell its error. With it the
    # last stage is the step's end, so that its slope is the next step's first ("first same as last")
    embedded: tuple[float, ...] | None = None

    @property
    def error(self) -> tuple[float, ...] | None:
        """Weights of the slopes in the estimate of a step's error."""
        if self.embedded is None:
            return None
        return tuple(a - b for a, b in zip(self.weights, self.embedded, strict=True))


TABLEAUS: dict[str, Tableau] = {
    "euler": Tableau(1, (), (1,)),
    "midpoint": Tableau(2, ((1 / 2,),), (0, 1)),
    "heun": Tableau(2, ((1,),), (1 / 2, 1 / 2)),
    "rk4": Tableau(4, ((1 / 2,), (0, 1 / 2), (0, 0, 1)), (1 / 6, 1 / 3, 1 / 3, 1 / 6)),
    "bosh3": Tableau(  # Bogacki & Shampine 1989
        3,
        ((1 / 2,), (0, 3 / 4), (2 / 9, 1 / 3, 4 / 9)),
        (2 / 9, 1 / 3, 4 / 9, 0),
        (7 / 24, 1 / 4, 1 / 3, 1 / 8),
    ),
    "dopri5": Tableau(  # Dormand & Prince 1980
        5,
        (
            (1 / 5,),
            (3 / 40, 9 / 40),
            (44 / 45, -56 / 15, 32 / 9),
            (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
            (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
            (35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
        ),
        (35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84, 0),
        (5179 / 57600, 0, 7571 / 16695, 393 / 640, -92097 / 339200, 187 / 2100, 1 / 40),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Solver:
    """How an ODE is solved: ``steps`` equal steps, or as many as keep each step's error below the tolerances.

    A step's error is accepted if it is at most ``atol + rtol * |y|``, in the root mean square over each sample, in all
    samples of the batch: they share their steps. More than ``max_steps`` of them, refused ones included, are a
    ResiduaError. Raises UsageError for an unknown method, and for one that cannot tell its error without ``steps``.
    """

    method: str = "dopri5"
    steps: int | None = None
    rtol: float = 1e-3
    atol: float = 1e-3
    max_steps: int = 1000

    def __post_init__(self) -> None:
        if self.method not in TABLEAUS:
            raise UsageError(f"unknown solver {self.method!r}{nearest(self.method, TABLEAUS)}")
        if self.steps is None and self.tableau.error is None:
            adaptive = [name for name, tableau in TABLEAUS.items() if tableau.error]
            raise UsageError(
                f"{self.method} cannot choose its steps: give their number, or take {' or '.join(adaptive)}"
            )
        for name in ("steps", "rtol", "atol", "max_steps"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"{name} of a solver must be above 0, not {value}")

    @property
    def tableau(self) -> Tableau:
        """The method."""
        return TABLEAUS[self.method]

    def solve(self, slope: Slope, start: State, *, controlled: int | None = None) -> State:
        """The displacement over s in [0, 1] of every tensor of a state that is ``start`` at s = 0.

        Gradients flow through every step; the sizes of the steps are taken as constants. Each of the first
        ``controlled`` tensors (all by default) is held to the tolerances on its own.
        """
        if self.steps is None and not start[0].is_meta:
            return self._adaptive(slope, start, start[:controlled])
        steps = self.steps or 1  # without numbers there are no errors: shapes are those of one step
        moved = tuple(torch.zeros_like(part) for part in start)
        for step in range(steps):
            first = slope(step / steps, moved)
            moved, _ = self._step(slope, step / steps, 1 / steps, moved, first)
        return moved

    def _step(
        self, slope: Slope, s: float, h: float, moved: State, first: State
    ) -> tuple[State, list[State]]:
        """One step from s to s + h, and its slopes, of which the first is known."""
        slopes = [first]
        for row in self.tableau.stages:
            slopes.append(slope(s + h * sum(row), _ahead(moved, h, row, slopes)))
        return _ahead(moved, h, self.tableau.weights, slopes), slopes

    def _adaptive(self, slope: Slope, start: State, controlled: State) -> State:
        weights = self.tableau.error
        assert weights is not None  # __post_init__
        moved = tuple(torch.zeros_like(part) for part in start)
        first, s = slope(0.0, moved), 0.0
        h = self._first_step(slope, controlled, first)
        for _ in range(self.max_steps):
            last = h >= 1 - s
            h = 1 - s if last else h
            reached, slopes = self._step(slope, s, h, moved, first)
            with torch.no_grad():
                zero = tuple(torch.zeros_like(part) for part in controlled)
                errors = _ahead(zero, h, weights, slopes)
                size = max(
                    _norm(error, self.atol + self.rtol * torch.maximum((x + a).abs(), (x + b).abs()))
                    for x, error, a, b in zip(controlled, errors, moved, reached, strict=False)
                )
            if not math.isfinite(size) and h < 1e-6:
                raise ResiduaError(
                    f"the ODE's state is no longer finite after {s:.3g} of the way: its function grows too fast"
                )
            if size <= 1:
                if last:
                    return reached
                moved, first, s = reached, slopes[-1], s + h
            # the error of a step shrinks with the power order of the embedded method + 1, which is the method's order
            wanted = _SAFETY * size ** (-1 / self.tableau.order) if math.isfinite(size) and size else _GROW
            h *= min(max(wanted if math.isfinite(size) else _SHRINK, _SHRINK), _GROW if size <= 1 else 1.0)
        raise ResiduaError(
            f"the ODE is not solved within {self.max_steps} steps ({s:.3g} of the way is done, the next step is "
            f"{h:.2g} of it): loosen rtol and atol, raise max_steps, or look whether its function has become stiff"
        )

    @torch.no_grad()
    def _first_step(self, slope: Slope, controlled: State, first: State) -> float:
        """Hairer, Norsett & Wanner 1993, sec. II.4: a step whose error should be a hundredth of the tolerance's."""
        scales = [self.atol + self.rtol * x.abs() for x in controlled]
        size, speed = (max(map(_norm, parts, scales)) for parts in (controlled, first))
        h = 0.01 * size / speed if min(size, speed) > 1e-5 else 1e-6
        h = min(h, 1.0)
        ahead = slope(h, tuple(h * part for part in first))
        bends = max(_norm((b - a) / h, scale) for scale, a, b in zip(scales, first, ahead, strict=False))
        steepest = max(speed, bends)
        if not math.isfinite(steepest):
            return h * 1e-3
        if steepest < 1e-15:  # a function that is zero, as at the start of a training: nothing moves
            return 1.0
        return min(100 * h, (0.01 / steepest) ** (1 / self.tableau.order), 1.0)


def _ahead(moved: State, h: float, weights: Sequence[float], slopes: Sequence[State]) -> State:
    """``moved + h * sum(weight * slope)`` of every tensor."""
    used = [(h * weight, slope) for weight, slope in zip(weights, slopes, strict=True) if weight]
    found = []
    for index, part in enumerate(moved):
        for factor, slope in used:
            part = part + factor * slope[index]
        found.append(part)
    return tuple(found)


def _norm(values: Tensor, scale: Tensor) -> float:
    """The root mean square of ``values / scale`` over a sample; of a batch (N, ...), the largest."""
    squares = (values / scale).square()
    if squares.ndim > 1:
        squares = squares.flatten(1).mean(1)
        return float(squares.max().sqrt()) if len(squares) else 0.0
    return float(squares.mean().sqrt())
