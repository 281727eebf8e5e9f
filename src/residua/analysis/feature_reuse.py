"""How much of its input a unit keeps (claim: low-level features travel straight to high layers).

Beside each other: how large the branch is against the shortcut (He et al. 2015, sec. 3.1: residual functions are
generally small), and how alike a unit's input and output are (linear CKA, Kornblith et al. 2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from residua.analysis.cka import gram, similarities
from residua.analysis.unit_parts import Kind, by_image, kind_of, terms
from residua.analysis.untouched import predicting, untouched
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
class FeatureReuse:
    """All units in the order of computation, and the CKA of every two of their outputs."""

    units: tuple[UnitReuse, ...]
    similarity: tuple[tuple[float, ...], ...]


def feature_reuse(model: nn.Module, images: Tensor, *, debiased: bool = True) -> FeatureReuse:
    """Measure every unit of ``model`` on ``images`` ``(N, ...)``, which all go through it at once.

    Norms are L2, over all images, of what the branch adds and of what the merge gives without it. The shortcut of an
    identity unit is x itself; where the shape changes it is what the
    shortcut makes of x. The CKA of units that follow one another directly is that of consecutive outputs. ``debiased``
    chooses the estimate (see ``cka``). The network is measured as it predicts, and is afterwards as it was. Raises
    UsageError for a network without units, and for fewer than 4 images.
    """
    units = residual_units(model)
    ratios: dict[str, float | None] = {}
    inputs: dict[str, Tensor] = {}
    outputs: dict[str, Tensor] = {}

    def entered(name: str, _: nn.Module, args: Any) -> None:
        inputs[name] = gram(by_image(units[name], args[0]))  # now: an activation in place may change it

    def merging(name: str, _: nn.Module, args: tuple[Tensor, Tensor, Tensor]) -> None:
        x, shortcut, branch = args
        if kind_of(units[name]) == "plain":
            ratios[name] = None
            return
        branch, shortcut = terms(units[name], x, shortcut, branch)
        ratios[name] = float(branch.double().norm() / shortcut.double().norm())

    def left(name: str, _: nn.Module, __: Any, output: Tensor) -> None:
        outputs[name] = gram(by_image(units[name], output))

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
    return FeatureReuse(
        units=tuple(
            UnitReuse(unit=name, kind=kind_of(units[name]), ratio=ratios[name], cka=float(both[i, count + i]))
            for i, name in enumerate(names)
        ),
        similarity=tuple(map(tuple, both[:count, :count].tolist())),
    )
