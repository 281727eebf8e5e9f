"""What a unit costs in time, beside a unit of another network (He et al. 2015, sec. 4.1 and Figure 5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from residua.analysis.finding import Finding, rows_of_figures
from residua.looks.base import Look, Subject
from residua.parts import register


@register
@dataclass(frozen=True, kw_only=True)
class UnitTime(Look):
    """A training step (forward, backward) of one unit beside one of another network, in turns on one thread.

    ``time_ratio`` and ``weights_ratio``: of ``unit`` in that of ``against_unit`` of the model ``against``, the median
    of the rounds. Maps are of ``side`` pixels, with the channels that each unit takes. Raises UsageError for units that
    are not there.
    """

    kind: ClassVar[str] = "unit_time"
    about: ClassVar[str] = "the time of a unit's training step beside that of another network's unit"
    images: ClassVar[int] = 0
    offered: ClassVar[bool] = False

    unit: str
    against: str
    against_unit: str
    side: int = 14
    batch: int = 8
    rounds: int = 5

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        import torch

        from residua.registry import build, model_spec
        from residua.timing import compare

        other = build(model_spec(self.against))
        sides = {"unit": (subject.model, self.unit), "against": (other, self.against_unit)}
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            steps = {name: self._step(*side) for name, side in sides.items()}
            timed = compare(
                {name: step for name, (step, _) in steps.items()}, rounds=self.rounds, baseline="unit"
            )
        finally:
            torch.set_num_threads(threads)
        weights = steps["unit"][1] / steps["against"][1]
        ratio = timed.speedup("against").median
        return Finding(
            kind=self.kind,
            title="What a unit costs",
            **rows_of_figures({"time_ratio": ratio, "weights_ratio": weights}),
            sentence=f"{self.unit} takes {ratio:.2f} of the time of {self.against}'s {self.against_unit}, with "
            f"{weights:.3f} of its weights.",
        )

    def _step(self, model: Any, name: str) -> tuple[Callable[[], None], int]:
        """A step of a unit as a function, and how many weights its convolutions have."""
        import copy

        import torch
        from torch import nn

        from residua.errors import UsageError, nearest
        from residua.nn import residual_units

        units = residual_units(model)
        if name not in units:
            raise UsageError(f"there is no unit {name!r}{nearest(name, units)}")
        unit = copy.deepcopy(units[name]).train()
        convolutions = [module for module in unit.branch.modules() if isinstance(module, nn.Conv2d)]
        if not convolutions:
            raise UsageError(f"the branch of {name} has no convolutions")
        x = torch.randn(self.batch, convolutions[0].in_channels, self.side, self.side, requires_grad=True)

        def step() -> None:
            unit.zero_grad()
            unit(x).square().mean().backward()

        return step, sum(conv.weight.numel() for conv in convolutions)
