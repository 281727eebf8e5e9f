"""How much of its input a unit keeps (claim: low-level features travel straight to high layers)."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.analysis.finding import Cell, Finding, Panel, Surface, lines
from residua.looks.base import Look, Subject
from residua.parts import register

if TYPE_CHECKING:
    from residua.analysis.feature_reuse import UnitReuse


@register
@dataclass(frozen=True, kw_only=True)
class Reuse(Look):
    """Branch against shortcut and CKA by depth, CKA of all pairs; of a DenseNet its weights by source layer too.

    ``images`` is ``(N, ...)``, normalised as in training; ``labels`` are not looked at. Raises UsageError as
    ``feature_reuse`` does."""

    kind: ClassVar[str] = "reuse"
    about: ClassVar[str] = (
        "how much a unit adds and how alike neighbours are (CKA); DenseNet's weights by source layer"
    )
    trained: ClassVar[bool] = True

    debiased: bool = True

    def find(self, subject: Subject) -> Finding:  # noqa: D102

        from residua.analysis.dense_weights import source_shares, source_weights, weight_panels
        from residua.analysis.feature_reuse import feature_reuse

        found = feature_reuse(subject.model, subject.images, debiased=self.debiased)
        units, dense = found.units, source_weights(subject.model)
        ratios = [unit.ratio for unit in units if unit.ratio is not None]
        likeness = [unit.cka for unit in units]
        values: dict[str, Cell] = {
            "units": len(units),
            "mean_ratio": statistics.fmean(ratios) if ratios else None,
            "largest_ratio": max(ratios, default=None),
            "mean_cka": statistics.fmean(likeness),
            "smallest_cka": min(likeness),
            "cka_first_last": found.similarity[0][-1],
        }
        if dense:
            values["weight_of_input"], values["weight_of_last_layer"] = source_shares(dense)
        return Finding(
            kind=self.kind,
            title="Reuse of features",
            columns=("unit", "kind", "norm_ratio", "cka"),
            rows=[(unit.unit, unit.kind, unit.ratio, unit.cka) for unit in units],
            values=values,
            sentence=_sentence(ratios, likeness, found.similarity[0][-1], source_shares(dense)),
            panels=[*_panels(units, found.similarity), *weight_panels(dense)],
        )


def _sentence(
    ratios: Sequence[float], likeness: Sequence[float], ends: float, weights: tuple[float, float]
) -> str:
    adds = (
        f"A branch's norm is {statistics.fmean(ratios):.2f} of its shortcut's on average ({min(ratios):.2f} to "
        f"{max(ratios):.2f})"
        if ratios
        else "No unit has a shortcut"
    )
    text = (
        f"{adds}; a unit's input and output have a CKA of {statistics.fmean(likeness):.2f} on average, "
        f"{min(likeness):.2f} at least; the outputs of the first and the last unit one of {ends:.2f}."
    )
    first, last = weights
    if math.isnan(first):
        return text
    return (
        f"{text} Layers take what entered their dense block with {first:.2f} times the mean weight of their sources, "
        f"the layer just before them with {last:.2f} times; Huang et al. 2017 found that all sources are used."
    )


def _panels(units: Sequence[UnitReuse], similarity: Sequence[Sequence[float]]) -> list[Panel]:
    adds = lines(
        "What a unit adds",
        "norm of the branch / norm of the shortcut",
        {"branch against shortcut": [unit.ratio for unit in units]},
    )
    keeps = lines(
        "What a unit keeps",
        "linear CKA of input and output",
        {"input and output of a unit": [unit.cka for unit in units]},
    )
    number = range(1, len(units) + 1)
    alike = Surface(x=number, y=number, z=similarity, label="linear CKA of outputs", contours=False)
    likeness = Panel(title="Likeness of all units", x_label="unit", y_label="unit", surface=alike)
    return [*([adds] if any(unit.ratio is not None for unit in units) else []), keeps, likeness]
