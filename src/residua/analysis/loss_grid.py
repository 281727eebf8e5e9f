"""The loss around trained weights, along filter-normalised random directions (Li et al. 2018, sec. 4).

A network with batch norm computes the same when a filter is scaled, so a direction of fixed length says nothing of how
sharp a minimum is. Each filter of a random Gaussian direction is therefore scaled to the norm of the network's own
filter (Li et al. 2018, sec. 4, eq. 1): one unit of distance is then a move as large as the weights. As in the paper's
code, a row of a fully connected layer counts as a filter, norms and biases are not moved, and batch norm predicts with
its stored statistics.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from residua.analysis.finding import Cell
from residua.analysis.untouched import predicting, untouched
from residua.errors import UsageError

Direction = dict[str, Tensor]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class LossGrid:
    """Mean cross entropy at ``weights + x * d1 + y * d2``: ``loss[i][j]`` at ``(at[j], at[i])``; NaN if not finite."""

    at: tuple[float, ...]
    loss: tuple[tuple[float, ...], ...]

    @property
    def centre(self) -> float:
        """The loss of the network itself."""
        middle = len(self.at) // 2
        return self.loss[middle][middle]

    def profile(self, axis: int) -> tuple[float, ...]:
        """The loss along the first (0) or the second (1) direction."""
        middle = len(self.at) // 2
        return self.loss[middle] if axis == 0 else tuple(row[middle] for row in self.loss)


def filter_normalised(model: nn.Module, seed: int) -> Direction:
    """A random direction in which each filter is as long as the model's own; norms and biases do not move."""
    generator = torch.Generator().manual_seed(seed)
    direction = {}
    for name, weight in model.named_parameters():
        if weight.ndim < 2:
            continue
        drawn = torch.randn(weight.shape, generator=generator).to(weight)
        lengths = weight.detach().flatten(1).norm(dim=1) / drawn.flatten(1).norm(dim=1)
        direction[name] = drawn * lengths.view(-1, *(1,) * (weight.ndim - 1))
    if not direction:
        raise UsageError("the network has no filters to move: only norms and biases")
    return direction


def landscape(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    radius: float = 1.0,
    points: int = 11,
    seed: int = 0,
    progress: Progress | None = None,
) -> LossGrid:
    """The loss on a grid of ``points`` by ``points``, from ``-radius`` to ``radius`` along two random directions.

    ``images`` is ``(N, C, H, W)``, normalised as in training, ``labels`` int64 ``(N,)``. A distance of 1 is the length
    of each filter. The model is measured as it predicts, and is never changed. Raises UsageError for an even number of
    points or fewer than 5, for a radius that is not above 0, and for a network without filters.
    """
    if points < 5 or points % 2 == 0:
        raise UsageError(
            f"points must be odd, and at least 5, so that the network stands in the middle: not {points}"
        )
    if not radius > 0:
        raise UsageError(f"radius must be above 0, not {radius}")
    first, second = filter_normalised(model, 2 * seed), filter_normalised(model, 2 * seed + 1)
    own = {name: parameter.detach() for name, parameter in model.named_parameters()}
    middle = points // 2
    at = tuple(radius * (i - middle) / middle for i in range(points))
    grid = []
    with predicting(model), untouched(model), torch.no_grad():
        for i, y in enumerate(at):
            row = []
            for j, x in enumerate(at):
                moved = {name: own[name] + x * first[name] + y * second[name] for name in first}
                loss = float(F.cross_entropy(functional_call(model, moved, (images,)).float(), labels))
                row.append(loss if math.isfinite(loss) else math.nan)
                if progress is not None:
                    progress(i * points + j + 1, points**2)
            grid.append(tuple(row))
    return LossGrid(at=at, loss=tuple(grid))


def measures(found: LossGrid) -> dict[str, Cell]:
    """Figures of a landscape.

    ``rise``: mean loss at the four ends of the two axes, less the loss of the network; ``ratio``: over it.
    ``negative_curvature``: share of the inner points at which the surface bends down in some direction of the plane
    (the smaller eigenvalue of the Hessian by finite differences is negative); ``nonconvexity``: the mean size of that
    eigenvalue against the larger one, at most 1 a point (Li et al. 2018, sec. 6, map the ratio for the whole Hessian).
    ``minima``: inner points that lie below all their eight neighbours.
    """
    z, n = found.loss, len(found.at)
    step = found.at[1] - found.at[0]
    inner = [(i, j) for i in range(1, n - 1) for j in range(1, n - 1)]
    bends = []
    for i, j in inner:
        xx = (z[i][j + 1] - 2 * z[i][j] + z[i][j - 1]) / step**2
        yy = (z[i + 1][j] - 2 * z[i][j] + z[i - 1][j]) / step**2
        xy = (z[i + 1][j + 1] - z[i + 1][j - 1] - z[i - 1][j + 1] + z[i - 1][j - 1]) / (4 * step**2)
        centre, spread = (xx + yy) / 2, math.hypot((xx - yy) / 2, xy)
        bends.append((centre - spread, centre + spread))
    known = [(low, high) for low, high in bends if math.isfinite(low) and math.isfinite(high)]
    ratios = [min(-low / max(abs(low), abs(high)), 1.0) if low < 0 else 0.0 for low, high in known]
    ends = [found.profile(axis)[k] for axis in (0, 1) for k in (0, -1)]
    rim = sum(ends) / 4
    minima = sum(
        all(z[i][j] < z[i + a][j + b] for a in (-1, 0, 1) for b in (-1, 0, 1) if (a, b) != (0, 0))
        for i, j in inner
    )
    return {
        "loss": found.centre,
        "rim_loss": rim,
        "rise": rim - found.centre,
        "ratio": rim / found.centre if found.centre > 0 else None,
        "largest_loss": max((value for row in z for value in row if math.isfinite(value)), default=math.nan),
        "negative_curvature": sum(low < 0 for low, _ in known) / len(known) if known else None,
        "nonconvexity": sum(ratios) / len(ratios) if ratios else None,
        "minima": minima,
    }
