"""The lesion study of Veit et al. 2016 (sec. 4.1 and 4.2): what a trained network loses with its units."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.analysis.finding import Curve, Finding, Panel, Style, lines
from residua.looks.base import Look, Subject
from residua.parts import register

if TYPE_CHECKING:
    from residua.analysis.lesion_study import Deletion, Deletions, Reordering


@register
@dataclass(frozen=True, kw_only=True)
class Lesion(Look):
    """Figures 3, 5a and 5b of Veit et al. 2016 for one trained network; errors are shares of the images.

    ``images`` ``(N, ...)`` are normalised as in training, ``labels`` int64 ``(N,)``; ``draws`` random choices for each
    number of units, from ``seed``. Raises UsageError as ``delete_each`` does."""

    kind: ClassVar[str] = "lesion"
    about: ClassVar[str] = "delete one unit, delete several, swap them (Veit et al. 2016, sec. 4)"
    images: ClassVar[int] = 128
    trained: ClassVar[bool] = True

    draws: int = 5

    def find(self, subject: Subject) -> Finding:  # noqa: D102

        from residua.analysis.lesion_study import delete_each, delete_many, error_without, reorder

        single = delete_each(*subject.shown)
        many = delete_many(*subject.shown, draws=self.draws, seed=subject.seed)
        moved = reorder(*subject.shown, draws=self.draws, seed=subject.seed)
        intact = error_without(*subject.shown)([], [])
        # the class that is most frequent, always
        chance = 1 - int(subject.labels.bincount().max()) / len(subject.labels)
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
            kind=self.kind,
            title="Lesions",
            columns=("unit", "kind", "input", "output", "error"),
            rows=[
                (
                    one.site.name,
                    one.site.kind,
                    _shape(one.site.input),
                    _shape(one.site.output),
                    one.error,
                )
                for one in single
            ],
            values=values,
            sentence=_sentence(single, alone, many, intact, chance, noun),
            panels=_panels(single, many, moved, intact, chance, noun),
        )


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
    share = "error (share of the images)"
    points: Style = "points"
    panels = [
        lines(
            f"Deleting one {noun}",
            share,
            {
                f"one {noun} deleted": [one.error for one in single],
                "intact": [intact] * len(single),
                "chance": [chance] * len(single),
            },
            x_label=f"deleted {noun}, from input to output",
            styles={"intact": "dashed", "chance": "dashed"},
        )
    ]
    if many:
        draws = [(one.count, error) for one in many for error in one.errors]
        medians = [(one.count, statistics.median(one.errors)) for one in many]
        panels.append(
            Panel(
                title=f"Deleting several {noun}s",
                x_label=f"number of {noun}s deleted",
                y_label=share,
                curves=[
                    Curve(label="each draw", x=[n for n, _ in draws], y=[y for _, y in draws], style=points),
                    Curve(label="median", x=[n for n, _ in medians], y=[y for _, y in medians]),
                ],
            )
        )
    if moved:
        panels.append(
            lines(
                f"Swapping {noun}s of equal shape",
                share,
                {"each draw": [one.error for one in moved]},
                x=[one.tau for one in moved],
                x_label="Kendall tau correlation with the trained order",
                styles={"each draw": points},
            )
        )
    return panels
