"""The lesion study of Veit et al. 2016 (sec. 4.1 and 4.2): what a trained network loses with its units.

Deleting one unit (Figure 3), deleting several at random (Figure 5a), letting pairs of equal shape change places
(Figure 5b). A network without units is studied layer by layer, as the paper's VGG.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from torch import Tensor, nn

from residua.analysis.lesioning import lesioned, reordered
from residua.analysis.logits import check_labels, error_rate
from residua.analysis.sites import Site, sites
from residua.analysis.untouched import predicting, untouched
from residua.errors import UsageError

_MOST = 20  # deleted or swapped at once (Figure 5)
_STEPS = 10  # at most so many numbers of them


@dataclass(frozen=True, kw_only=True)
class Deletion:
    """The network without one site; ``error`` is a share of the images, None where the lesion does not apply."""

    site: Site
    error: float | None


@dataclass(frozen=True, kw_only=True)
class Deletions:
    """The network without ``count`` sites drawn at random; an error for each draw."""

    count: int
    errors: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Reordering:
    """The network after ``swaps`` random swaps; ``tau`` is the rank correlation of its order with the trained one."""

    swaps: int
    tau: float
    error: float


def delete_each(model: nn.Module, images: Tensor, labels: Tensor) -> list[Deletion]:
    """The error without each unit (or layer) alone, from input to output (Veit et al. 2016, Figure 3).

    ``images`` ``(N, ...)`` are normalised as in training, ``labels`` int64 ``(N,)``. This and the other functions
    here measure the network as it predicts and leave it as it was. Raises UsageError for a network that has neither
    units nor layers to delete, or gives no logits.
    """
    check_labels(images, labels)
    found = sites(model, images)
    errors = error_without(model, images, labels)
    return [Deletion(site=site, error=errors([site], []) if site.can_go else None) for site in found]


def delete_many(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    counts: Sequence[int] | None = None,
    draws: int = 5,
    seed: int = 0,
) -> list[Deletions]:
    """The error without ``counts`` random sites of those that can go, ``draws`` times each (Figure 5a).

    ``counts`` are by default up to ten numbers up to 20, or to as many as there are.
    """
    check_labels(images, labels)
    _at_least_one(draws)
    found = [site for site in sites(model, images) if site.can_go]
    counts = _spread(len(found)) if counts is None else counts
    _check_counts(counts, len(found))
    errors = error_without(model, images, labels)

    def draw(count: int, index: int) -> float:
        return errors(Random(f"delete {seed} {count} {index}").sample(found, count), [])

    return [Deletions(count=n, errors=tuple(draw(n, index) for index in range(draws))) for n in counts]


def reorder(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    swaps: Sequence[int] | None = None,
    draws: int = 5,
    seed: int = 0,
) -> list[Reordering]:
    """The error after so many ``swaps`` of random pairs of equal shapes, ``draws`` times each (Figure 5b).

    Swaps follow one another, and may undo one another. Empty for a network without such a pair.
    """
    check_labels(images, labels)
    _at_least_one(draws)
    found = sites(model, images)
    pairs = [(i, j) for j in range(len(found)) for i in range(j) if found[i].swaps_with(found[j])]
    if not pairs:
        return []
    errors = error_without(model, images, labels)
    results = []
    for count in _spread(len(found)) if swaps is None else swaps:
        for index in range(draws):
            random = Random(f"swap {seed} {count} {index}")
            chosen = [random.choice(pairs) for _ in range(count)]
            order = list(range(len(found)))
            for i, j in chosen:
                order[i], order[j] = order[j], order[i]
            error = errors([], [(found[i].name, found[j].name) for i, j in chosen])
            results.append(Reordering(swaps=count, tau=kendall_tau(order), error=error))
    return results


def kendall_tau(order: Sequence[int]) -> float:
    """Kendall's rank correlation of distinct numbers with their ascending order: 1 as sorted, -1 reversed."""
    pairs = math.comb(len(order), 2)
    inverted = sum(order[i] > order[j] for j in range(len(order)) for i in range(j))
    return 1 - 2 * inverted / pairs if pairs else 1.0


def error_without(
    model: nn.Module, images: Tensor, labels: Tensor
) -> Callable[[Sequence[Site], Sequence[tuple[str, str]]], float]:
    """The error as a function of what is cut out and what changes places."""

    def error(cut: Sequence[Site], swaps: Sequence[tuple[str, str]]) -> float:
        names = [site.name for site in cut]
        with predicting(model), untouched(model), lesioned(model, names), reordered(model, swaps):
            return error_rate(model, images, labels)

    return error


def _spread(available: int) -> list[int]:
    most = min(available, _MOST)
    steps = min(most, _STEPS)
    return [math.ceil(most * (i + 1) / steps) for i in range(steps)]


def _check_counts(counts: Sequence[int], available: int) -> None:
    if any(not 0 <= count <= available for count in counts):
        raise UsageError(f"of {available} units that can go, {list(counts)} cannot be deleted")


def _at_least_one(draws: int) -> None:
    if draws < 1:
        raise UsageError(f"draws must be at least 1, not {draws}")
