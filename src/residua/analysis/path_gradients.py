"""Paths by length, and how much gradient each length carries (Veit et al. 2016, sec. 4.3 and Figure 6).

A network of n residual units is 2^n paths, most of them n/2 units long; but the gradient of a path shrinks with its
length, and what trains the network comes through the short ones.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residua.analysis.logits import check_labels, logits
from residua.analysis.untouched import predicting, untouched
from residua.analysis.ways import Polynomial, ways_through
from residua.errors import UsageError
from residua.nn import residual_units

_ROWS = 256  # in a backward pass


@dataclass(frozen=True, kw_only=True)
class PathGradient:
    """Paths of one length. Norms are those of an image's own loss at its pixels, averaged over images."""

    length: int  # in branches
    count: int  # of the paths
    norm: float  # of the gradient through a single path: mean over paths drawn at random
    error: float  # standard error of that mean
    together: float  # of the gradient through all paths of this length at once

    @property
    def log_total(self) -> float:
        """Logarithm of count times norm (Veit et al. 2016, Figure 6c); it may be larger than any float."""
        return math.log(self.count) + math.log(self.norm) if self.count and self.norm else -math.inf


def path_lengths(model: nn.Module, example: Tensor | None = None) -> Polynomial:
    """How many paths of each length 0, 1, 2, ... lead through ``model``; a path's length is the branches on it.

    Sums, scaled and gated ones, and concatenations count alike: what goes through a unit has the two ways. A plain
    unit has its branch alone. Nested units count each. ``example`` is an input of the model, which networks need
    whose modules residua does not know; raises UsageError without it, and where units do not stand in series.
    """
    return ways_through(model, example).lengths


def gradient_by_length(
    model: nn.Module, images: Tensor, labels: Tensor, *, example: Tensor | None = None
) -> Tensor:
    """The gradient of each image's cross entropy at its pixels, split by the length of the paths it came through.

    ``images`` ``(N, ...)`` are normalised as in training, ``labels`` int64 ``(N,)``. Returns ``(lengths, N, ...)``,
    which sums to autograd's gradient. Not by enumeration: the gradient is carried back as a polynomial in z, and every
    branch multiplies it by z. One copy of the images stands for each coefficient, so that a single backward pass
    does it; the network predicts (batch statistics would mix the copies). A merge's gate belongs to the branch.
    """
    _check(images, labels)
    copies = len(path_lengths(model, images[:1] if example is None else example))

    def longer(gradient: Tensor) -> Tensor:
        by_length = gradient.unflatten(0, (copies, -1))
        return torch.cat((torch.zeros_like(by_length[:1]), by_length[:-1])).flatten(0, 1)

    parts = []
    step = max(_ROWS // copies, 1)
    for some, wanted in zip(images.split(step), labels.split(step), strict=True):
        rows = some.repeat(copies, *[1] * (some.ndim - 1))
        found = _pull(model, rows, wanted, lambda _: (lambda gradient: gradient, longer))
        parts.append(found.unflatten(0, (copies, -1)))
    return torch.cat(parts, 1)


def path_gradients(
    model: nn.Module, images: Tensor, labels: Tensor, *, draws: int = 64, seed: int = 0
) -> list[PathGradient]:
    """The gradient that paths of each length carry (Veit et al. 2016, sec. 4.3).

    For each length ``draws`` times, over the same images: a path of that length is drawn; the forward pass is the
    network's own, and in the backward pass each unit on the path lets the gradient through its branch alone, each
    other one through its shortcut alone. The network is measured as it predicts, in its own precision: of more than
    about a hundred units take it in float64, where small gradients do not vanish. It is afterwards as it was.

    Raises UsageError for a network whose units do not stand in series, that has none, or gives no logits.
    """
    _check(images, labels)
    if draws < 1:
        raise UsageError(f"draws must be at least 1, not {draws}")
    if not residual_units(model):
        raise UsageError(f"{type(model).__name__} has no residual units: it is a single path")
    ways = ways_through(model, images[:1])
    random = Random(f"paths {seed}")
    shown = random.sample(range(len(images)), min(draws, len(images)))
    jobs = [  # every length meets the same images: a few hard ones have most of the gradient
        (length, shown[index % len(shown)], ways.draw(length, random))
        for length, count in enumerate(ways.lengths)
        if count
        for index in range(draws)
    ]
    norms: dict[int, list[float]] = {length: [] for length in range(len(ways.lengths))}
    for start in range(0, len(jobs), _ROWS):
        some = jobs[start : start + _ROWS]
        drawn = torch.tensor([image for _, image, _ in some], device=images.device)

        def sides(
            unit: str, some: Sequence[tuple[int, int, dict[str, bool]]] = some
        ) -> tuple[_Change, _Change]:
            takes = torch.tensor([way.get(unit, False) for _, _, way in some], device=images.device)
            return partial(_where, ~takes), partial(_where, takes)

        found = _pull(model, images[drawn], labels[drawn], sides).flatten(1).norm(dim=1)
        for (length, _, _), norm in zip(some, found.tolist(), strict=True):
            norms[length].append(norm)
    exact = gradient_by_length(model, images[shown], labels[shown]).flatten(2).norm(dim=2)  # (lengths, shown)
    together = exact[:, [index % len(shown) for index in range(draws)]].mean(1).tolist()
    return [
        PathGradient(
            length=length,
            count=count,
            norm=statistics.fmean(norms[length] or [0.0]),
            error=statistics.stdev(norms[length]) / math.sqrt(draws) if count and draws > 1 else 0.0,
            together=together[length],
        )
        for length, count in enumerate(ways.lengths)
    ]


def shares(found: Sequence[PathGradient]) -> list[float]:
    """The share of each length in the gradient of all paths, count times norm (Veit et al. 2016, Figure 6c)."""
    logs = [one.log_total for one in found]
    largest = max(logs)
    if largest == -math.inf:
        raise UsageError("no gradient arrives at the images through any path")
    weights = [math.exp(log - largest) for log in logs]
    return [weight / math.fsum(weights) for weight in weights]


def shortest_interval(weights: Sequence[float], part: float) -> tuple[int, int]:
    """The fewest consecutive places, first and last, that hold at least ``part`` of the sum of ``weights``."""
    sums = [0.0]
    for weight in weights:
        sums.append(sums[-1] + weight)
    enough = part * sums[-1] * (1 - 1e-12)
    wide = [
        (last - first, first, last)
        for last in range(len(weights))
        for first in range(last + 1)
        if sums[last + 1] - sums[first] >= enough
    ]
    _, first, last = min(wide)
    return first, last


_Change = Callable[[Tensor], Tensor]  # what becomes of a gradient


def _pull(
    model: nn.Module, rows: Tensor, labels: Tensor, sides: Callable[[str], tuple[_Change, _Change]]
) -> Tensor:
    """The gradient at ``rows`` of the summed cross entropy of the first rows, as many as there are labels.

    ``sides`` says for a unit's name what becomes of the gradient on its shortcut, and on its branch.
    """

    def merging(
        changes: tuple[_Change, _Change], _: nn.Module, args: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, ...]:
        x, shortcut, branch = args
        on_shortcut, on_branch = changes
        return _through(x, on_branch), _through(shortcut, on_shortcut), _through(branch, on_branch)

    with predicting(model), untouched(model) as handles, torch.enable_grad():
        for name, unit in residual_units(model).items():
            handles.append(unit.merge.register_forward_pre_hook(partial(merging, sides(name))))
        rows = rows.detach().clone().requires_grad_()
        loss = F.cross_entropy(logits(model, rows)[: len(labels)], labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, [rows])
    return gradient


def _through(value: Tensor, change: _Change) -> Tensor:
    if not value.requires_grad:
        return value
    seen = value.view_as(value)  # the same values, and a gradient of their own
    seen.register_hook(change)
    return seen


def _where(open_: Tensor, gradient: Tensor) -> Tensor:
    rows = open_.repeat_interleave(len(gradient) // len(open_))  # an image may have several: streams
    return torch.where(rows.view(-1, *[1] * (gradient.ndim - 1)), gradient, 0)


def _check(images: Tensor, labels: Tensor) -> None:
    check_labels(images, labels)
    if not images.is_floating_point():
        raise UsageError("whole numbers have no gradient: paths are measured at the pixels of images")
