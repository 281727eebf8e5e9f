"""The loss around trained weights, along filter-normalised random directions (Li et al. 2018, sec. 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.analysis.finding import Cell, Finding, Panel, Surface, lines
from residua.looks.base import Look, Subject
from residua.parts import register

if TYPE_CHECKING:
    from residua.analysis.loss_grid import LossGrid


@register
@dataclass(frozen=True, kw_only=True)
class Landscape(Look):
    """``landscape`` and its ``measures``, as in Figures 1 and 5 of Li et al. 2018. Raises UsageError as it does."""

    kind: ClassVar[str] = "landscape"
    about: ClassVar[str] = (
        "the loss along filter-normalised random directions around the weights (Li et al. 2018)"
    )
    images: ClassVar[int] = 128
    trained: ClassVar[bool] = True

    radius: float = 1.0
    points: int = 11

    def find(self, subject: Subject) -> Finding:  # noqa: D102

        from residua.analysis.loss_grid import landscape, measures

        found = landscape(
            *subject.shown,
            radius=self.radius,
            points=self.points,
            seed=subject.seed,
            progress=subject.progress,
        )
        values = {"radius": self.radius, "points": self.points, **measures(found)}
        return Finding(
            kind=self.kind,
            title="Loss around the weights",
            columns=("x", "y", "loss"),
            rows=[(x, y, found.loss[i][j]) for i, y in enumerate(found.at) for j, x in enumerate(found.at)],
            values=values,
            sentence=_sentence(values),
            panels=_panels(found),
        )


def _panels(found: LossGrid) -> list[Panel]:
    ways = ("first direction", "second direction")
    unit, loss = "(1: the length of each filter)", "mean cross entropy, nats"
    surface = Surface(x=found.at, y=found.at, z=found.loss, label=loss)
    along = [
        lines(
            f"Along the {way}",
            loss,
            {"loss": found.profile(axis)},
            x=found.at,
            x_label=f"{way} {unit}",
            log_y=True,
        )
        for axis, way in enumerate(ways)
    ]
    return [Panel(title="Surface", x_label=f"{ways[0]} {unit}", y_label=ways[1], surface=surface), *along]


def _sentence(values: Mapping[str, Cell]) -> str:
    number = {key: float("nan") if value is None else float(value) for key, value in values.items()}
    minima = values["minima"]
    return (
        f"The loss is {number['loss']:.3g} at the weights and {number['rim_loss']:.3g} on average at a distance of "
        f"{number['radius']:g} times the filters' length; the surface bends down somewhere at "
        f"{number['negative_curvature']:.0%} of the inner points (nonconvexity {number['nonconvexity']:.2f}) and has "
        f"{minima} {'minimum' if minima == 1 else 'minima'} on the grid. Two random directions of many: other seeds "
        "show how much of it is chance."
    )
