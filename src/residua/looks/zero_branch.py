"""What a unit whose branch is zero still does: what stands after its merge (He et al. 2016, sec. 3)."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import ClassVar

from residua.analysis.finding import Finding, rows_of_figures
from residua.errors import UsageError
from residua.looks.base import Look, Subject
from residua.parts import register


@register
@dataclass(frozen=True, kw_only=True)
class ZeroBranch(Look):
    """The first unit with an identity shortcut, its branch set to zero, on random maps of either sign.

    ``changed`` is the largest change of a value, relative to the largest value; ``changed_share`` how many values
    change, in percent; ``changed_positive`` as ``changed``, on maps without negative values; ``relu_error`` how far the
    unit is from a ReLU. Raises UsageError for a network without such a unit of maps.
    """

    kind: ClassVar[str] = "zero_branch"
    about: ClassVar[str] = "what a unit whose branch is zero still does to its input"
    images: ClassVar[int] = 0
    offered: ClassVar[bool] = False

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        import torch
        from torch import nn

        from residua.nn import residual_units, zero_init_branches
        from residua.train.seeding import seed_torch

        units = residual_units(subject.model).items()
        name, unit = next((item for item in units if isinstance(item[1].shortcut, nn.Identity)), ("", None))
        convolutions = [] if unit is None else [m for m in unit.branch.modules() if isinstance(m, nn.Conv2d)]
        if unit is None or not convolutions:
            raise UsageError(f"{type(subject.model).__name__} has no unit of maps with an identity shortcut")
        unit = copy.deepcopy(unit).eval()
        zero_init_branches(unit)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            seed_torch(subject.seed, "zero branch")
            x = torch.randn(8, convolutions[0].in_channels, 8, 8)
            y, positive = unit(x), unit(x.abs())
        largest = x.abs().max()
        figures = {
            "changed": float((y - x).abs().max() / largest),
            "changed_share": 100 * float((y != x).double().mean()),
            "changed_positive": float((positive - x.abs()).abs().max() / largest),
            "relu_error": float((y - x.relu()).abs().max() / largest),
        }
        return Finding(
            kind=self.kind,
            title="A unit whose branch is zero",
            **rows_of_figures(figures),
            sentence=f"Without its branch {name} changes {figures['changed_share']:.3g} % of the values of a map of "
            "either sign.",
        )
