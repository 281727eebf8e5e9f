"""The lesion study of Veit et al. 2016 (sec. 4) as the figures that its claims are judged by."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from residua.analysis.finding import Finding, lines, rows_of_figures
from residua.looks.base import Look, Subject
from residua.parts import register


@register
@dataclass(frozen=True, kw_only=True)
class Lesions(Look):
    """Errors in percent without one unit, without several, and after swaps.

    ``one_deleted`` is by how many points one missing unit raises the error, a mean over the units that keep the shape
    (the paper excepts the others, ``halving_deleted``); ``chance_gap`` how far below chance the error then is.
    ``largest_step`` is the largest rise from one number of missing units to the next one measured, as a share of the
    whole rise: 1 is a cliff. ``order_correlation`` is that of the error with Kendall's tau of the order of units: -1
    would be a decay in proportion.
    """

    kind: ClassVar[str] = "lesions"
    about: ClassVar[str] = "by how much missing and swapped units raise the error (Veit et al. 2016, sec. 4)"
    images: ClassVar[int] = 128
    trained: ClassVar[bool] = True
    panel: ClassVar[int | None] = 0

    draws: int = 5
    most: int = 16

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        from residua.analysis.lesion_study import delete_each, delete_many, error_without, reorder

        labels = subject.labels
        intact = error_without(*subject.shown)([], [])
        each = [(one.site, one.error) for one in delete_each(*subject.shown) if one.error is not None]
        alone = [error for site, error in each if site.input == site.output]
        halving = [error for site, error in each if site.input != site.output]
        chance = 1 - int(labels.bincount().max()) / len(labels)
        counts = [n for n in (1, 2, 4, 8, 16) if n <= min(len(each), self.most)]
        many = delete_many(*subject.shown, counts=counts, draws=self.draws, seed=subject.seed)
        errors = [intact, *(statistics.fmean(one.errors) for one in many)]
        rises = [b - a for a, b in pairwise(errors)]
        moved = reorder(*subject.shown, draws=self.draws, seed=subject.seed)
        whole = errors[-1] - intact
        one_deleted = 100 * (statistics.fmean(alone) - intact) if alone else None
        raised = (
            "no unit can be deleted"
            if one_deleted is None
            else f"{one_deleted:.2f} points more without a unit"
        )
        return Finding(
            kind=self.kind,
            title="Lesions, in percent",
            **rows_of_figures(
                {
                    "error": 100 * intact,
                    "chance": 100 * chance,
                    "one_deleted": one_deleted,
                    "worst_deleted": 100 * (max(alone) - intact) if alone else None,
                    "halving_deleted": 100 * (statistics.fmean(halving) - intact) if halving else None,
                    "chance_gap": 100 * (chance - statistics.fmean(alone)) if alone else None,
                    "largest_step": max(rises) / whole if rises and whole > 0 else None,
                    "order_correlation": _correlation(
                        [one.tau for one in moved], [one.error for one in moved]
                    ),
                    "deletable": len(each),
                }
            ),
            sentence=f"The intact network errs on {100 * intact:.2f} % of the images; {raised}.",
            panels=[
                lines(
                    "Several units deleted",
                    "error, percent of the images",
                    {"error by deleted units": [100 * error for error in errors]},
                    x=[0, *counts],
                    x_label="number of units deleted",
                )
            ],
        )


def _correlation(x: list[float], y: list[float]) -> float | None:
    """Pearson's; None where nothing varies."""
    return None if len(set(x)) < 2 or len(set(y)) < 2 else statistics.correlation(x, y)
