"""The lesion study of Veit et al. 2016 (sec. 4.1 and 4.2): what a trained network loses with its units.

Deleting one unit (Figure 3), deleting several at random (Figure 5a), letting pairs of equal shape change places
(Figure 5b). A network without units is studied layer by layer, as the paper's VGG.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from torch import Tensor, nn

from residua.analysis.answers import check_labels, error_rate
from residua.analysis.finding import Curve, Finding, Panel
from residua.analysis.lesion import lesioned, reordered
from residua.analysis.sites import Site, sites
from residua.analysis.taps import predicting, untouched
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
    errors = _errors(model, images, labels)
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
    errors = _errors(model, images, labels)

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
    errors = _errors(model, images, labels)
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


def lesion_finding(
    model: nn.Module, images: Tensor, labels: Tensor, *, draws: int = 5, seed: int = 0
) -> Finding:
    """Figures 3, 5a and 5b of Veit et al. 2016 for one trained network; errors are shares of the images.

    ``images`` ``(N, ...)`` are normalised as in training, ``labels`` int64 ``(N,)``; ``draws`` random choices for each
    number of units, from ``seed``. Raises UsageError as ``delete_each`` does.
    """
    single = delete_each(model, images, labels)
    many = delete_many(model, images, labels, draws=draws, seed=seed)
    moved = reorder(model, images, labels, draws=draws, seed=seed)
    intact = _errors(model, images, labels)([], [])
    # the class that is most frequent, always
    chance = 1 - int(labels.bincount().max()) / len(labels)
    alone = [one.error for one in single if one.error is not None]
    worst = max(single, key=lambda one: -1 if one.error is None else one.error)
    kind = single[0].site.kind
    noun = {"residual": "residual unit", "plain": "plain unit", "layer": "layer"}[kind]
    values = {
        "kind_of_unit": kind,
        "units": len(single),
        "deletable": len(alone),
        "error": intact,
        "chance_error": chance,
        "mean_error_one_deleted": statistics.fmean(alone) if alone else None,
        "worst_error_one_deleted": worst.error,
        "worst_unit": worst.site.name if alone else None,
        **{f"mean_error_{one.count}_deleted": statistics.fmean(one.errors) for one in many[-1:]},
        "lowest_tau": min((one.tau for one in moved), default=None),
    }
    return Finding(
        kind="lesion",
        title="Lesions",
        columns=("unit", "kind", "input", "output", "error"),
        rows=[
            (one.site.name, one.site.kind, _shape(one.site.input), _shape(one.site.output), one.error)
            for one in single
        ],
        values=values,
        sentence=_sentence(single, alone, many, intact, chance, noun),
        panels=_panels(single, many, moved, intact, chance, noun),
    )


def _errors(
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


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _sentence(
    single: Sequence[Deletion],
    alone: Sequence[float],
    many: Sequence[Deletions],
    intact: float,
    chance: float,
    noun: str,
) -> str:
    start = f"The intact network errs on {intact:.1%} of the images (always the most frequent class: {chance:.1%})"
    if not alone:
        return f"{start}; none of its {len(single)} {noun}s can be bypassed, because each changes the shape."
    text = f"{start}, without one {noun} on {statistics.fmean(alone):.1%} on average and on {max(alone):.1%} at worst"
    if len(alone) < len(single):
        text += f" ({len(single) - len(alone)} of {len(single)} change the shape and cannot be bypassed)"
    if many and many[-1].count > 1:
        text += f", without {many[-1].count} on {statistics.fmean(many[-1].errors):.1%}"
    return (
        f"{text}. Veit et al. 2016 found that a residual network hardly feels the loss of one unit, and that a VGG "
        "falls to chance with any layer."
    )


def _panels(
    single: Sequence[Deletion],
    many: Sequence[Deletions],
    moved: Sequence[Reordering],
    intact: float,
    chance: float,
    noun: str,
) -> list[Panel]:
    number = range(1, len(single) + 1)
    errors = [math.nan if one.error is None else one.error for one in single]
    panels = [
        Panel(
            title=f"Deleting one {noun}",
            x_label=f"deleted {noun}, from input to output",
            y_label="error (share of the images)",
            curves=[
                Curve(label=f"one {noun} deleted", x=number, y=errors),
                Curve(label="intact", x=number, y=[intact] * len(single), style="dashed"),
                Curve(label="chance", x=number, y=[chance] * len(single), style="dashed"),
            ],
        )
    ]
    if many:
        panels.append(
            Panel(
                title=f"Deleting several {noun}s",
                x_label=f"number of {noun}s deleted",
                y_label="error (share of the images)",
                curves=[
                    Curve(
                        label="each draw",
                        x=[one.count for one in many for _ in one.errors],
                        y=[error for one in many for error in one.errors],
                        style="points",
                    ),
                    Curve(
                        label="median",
                        x=[one.count for one in many],
                        y=[statistics.median(one.errors) for one in many],
                    ),
                ],
            )
        )
    if moved:
        panels.append(
            Panel(
                title=f"Swapping {noun}s of equal shape",
                x_label="Kendall tau correlation with the trained order",
                y_label="error (share of the images)",
                curves=[
                    Curve(
                        label="each draw",
                        x=[one.tau for one in moved],
                        y=[one.error for one in moved],
                        style="points",
                    )
                ],
            )
        )
    return panels
