"""How much of its input a unit keeps (claim: low-level features travel straight to high layers).

Beside each other: how large the branch is against the shortcut (He et al. 2015, sec. 3.1: residual functions are
generally small), and how alike a unit's input and output are (linear CKA, Kornblith et al. 2019).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from residua.analysis.cka import gram, similarities
from residua.analysis.dense_weights import SourceWeights, source_shares, source_weights, weight_panels
from residua.analysis.finding import Curve, Finding, Panel, Surface
from residua.analysis.taps import Kind, kind_of, predicting, untouched
from residua.errors import UsageError
from residua.nn import residual_units


@dataclass(frozen=True, kw_only=True)
class UnitReuse:
    """What one unit adds, and what it keeps."""

    unit: str
    kind: Kind
    ratio: float | None  # norm of the branch over that of the shortcut, at the merge; None of a plain unit
    cka: float  # of the unit's input and output


@dataclass(frozen=True, kw_only=True)
class Reuse:
    """All units in the order of computation, and the CKA of every two of their outputs."""

    units: tuple[UnitReuse, ...]
    similarity: tuple[tuple[float, ...], ...]


def feature_reuse(model: nn.Module, images: Tensor, *, debiased: bool = True) -> Reuse:
    """Measure every unit of ``model`` on ``images`` ``(N, ...)``, which all go through it at once.

    Norms are L2, over all images. The shortcut of an identity unit is x itself; where the shape changes it is what the
    shortcut makes of x. The CKA of units that follow one another directly is that of consecutive outputs. ``debiased``
    chooses the estimate (see ``cka``). The network is measured as it predicts, and is afterwards as it was. Raises
    UsageError for a network without units, and for fewer than 4 images.
    """
    units = residual_units(model)
    ratios: dict[str, float | None] = {}
    inputs: dict[str, Tensor] = {}
    outputs: dict[str, Tensor] = {}

    def entered(name: str, _: nn.Module, args: Any) -> None:
        inputs[name] = gram(args[0])  # now: an activation in place may change it

    def merging(name: str, _: nn.Module, args: tuple[Tensor, Tensor, Tensor]) -> None:
        shortcut, branch = (value.double().norm() for value in args[1:])
        ratios[name] = None if kind_of(units[name]) == "plain" else float(branch / shortcut)

    def left(name: str, _: nn.Module, __: Any, output: Tensor) -> None:
        outputs[name] = gram(output)

    with predicting(model), untouched(model) as handles, torch.no_grad():
        for name, unit in units.items():
            handles.append(unit.register_forward_pre_hook(partial(entered, name)))
            handles.append(unit.merge.register_forward_pre_hook(partial(merging, name)))
            handles.append(unit.register_forward_hook(partial(left, name)))
        model(images)
    if not outputs:
        raise UsageError(f"{type(model).__name__} has no residual units")
    names = list(outputs)
    both = similarities([*outputs.values(), *(inputs[name] for name in names)], debiased=debiased)
    count = len(names)
    return Reuse(
        units=tuple(
            UnitReuse(unit=name, kind=kind_of(units[name]), ratio=ratios[name], cka=float(both[i, count + i]))
            for i, name in enumerate(names)
        ),
        similarity=tuple(map(tuple, both[:count, :count].tolist())),
    )


def reuse_finding(model: nn.Module, images: Tensor, labels: Tensor, *, debiased: bool = True) -> Finding:
    """Branch against shortcut and CKA by depth, CKA of all pairs; of a DenseNet its weights by source layer too.

    ``images`` is ``(N, ...)``, normalised as in training; ``labels`` are not looked at. Raises UsageError as
    ``feature_reuse`` does.
    """
    found = feature_reuse(model, images, debiased=debiased)
    units, dense = found.units, source_weights(model)
    ratios = [unit.ratio for unit in units if unit.ratio is not None]
    likeness = [unit.cka for unit in units]
    values: dict[str, str | int | float | None] = {
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
        kind="reuse",
        title="Reuse of features",
        columns=("unit", "kind", "norm_ratio", "cka"),
        rows=[(unit.unit, unit.kind, unit.ratio, unit.cka) for unit in units],
        values=values,
        sentence=_sentence(found, ratios, likeness, dense),
        panels=[*_panels(found, ratios), *weight_panels(dense)],
    )


def _sentence(
    found: Reuse, ratios: Sequence[float], likeness: Sequence[float], dense: Sequence[SourceWeights]
) -> str:
    adds = (
        f"A branch's norm is {statistics.fmean(ratios):.2f} of its shortcut's on average ({min(ratios):.2f} to "
        f"{max(ratios):.2f})"
        if ratios
        else "No unit has a shortcut"
    )
    text = (
        f"{adds}; a unit's input and output have a CKA of {statistics.fmean(likeness):.2f} on average, "
        f"{min(likeness):.2f} at least; the outputs of the first and the last unit one of "
        f"{found.similarity[0][-1]:.2f}."
    )
    first, last = source_shares(dense)
    if math.isnan(first):
        return text
    return (
        f"{text} Layers take what entered their dense block with {first:.2f} times the mean weight of their sources, "
        f"the layer just before them with {last:.2f} times; Huang et al. 2017 found that all sources are used."
    )


def _panels(found: Reuse, ratios: Sequence[float]) -> list[Panel]:
    number = range(1, len(found.units) + 1)
    panels = []
    if ratios:
        panels.append(
            Panel(
                title="What a unit adds",
                x_label="unit, from input to output",
                y_label="norm of the branch / norm of the shortcut",
                curves=[
                    Curve(
                        label="branch against shortcut",
                        x=number,
                        y=[math.nan if unit.ratio is None else unit.ratio for unit in found.units],
                    )
                ],
            )
        )
    panels.append(
        Panel(
            title="What a unit keeps",
            x_label="unit, from input to output",
            y_label="linear CKA of input and output",
            curves=[
                Curve(label="input and output of a unit", x=number, y=[unit.cka for unit in found.units])
            ],
        )
    )
    panels.append(
        Panel(
            title="Likeness of all units",
            x_label="unit",
            y_label="unit",
            surface=Surface(
                x=number, y=number, z=found.similarity, label="linear CKA of outputs", contours=False
            ),
        )
    )
    return panels
