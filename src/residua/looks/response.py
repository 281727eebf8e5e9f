"""Layer responses (He et al. 2015, sec. 4.2 and Figure 7): how much each 3x3 layer changes the signal."""

from __future__ import annotations

import dataclasses
import statistics
from dataclasses import dataclass
from typing import ClassVar

from residua.analysis.finding import Finding, lines
from residua.errors import UsageError
from residua.looks.base import ALL, Look, Subject
from residua.parts import register

_Y = "standard deviation of the response"


@register
@dataclass(frozen=True, kw_only=True)
class Response(Look):
    """Figure 7 of He et al. 2015: the responses in the order of the layers, and sorted by size.

    Raises UsageError for a network without 3x3 convolutions.
    """

    kind: ClassVar[str] = "response"
    about: ClassVar[str] = "how much each 3x3 layer changes the signal (He et al. 2015, Figure 7)"
    images: ClassVar[int] = 256
    trained: ClassVar[bool] = True

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        from residua.analysis.layer_responses import response

        layers = response(subject.model, subject.images)
        if not layers:
            raise UsageError(
                "the network has no 3x3 convolutions: He et al. 2015 measure the responses of those"
            )
        stds = [layer.std for layer in layers]
        ranked = sorted(stds, reverse=True)
        mean, median = statistics.fmean(stds), statistics.median(stds)
        return Finding(
            kind=self.kind,
            title="Layer responses",
            columns=("number", "layer", "unit", "kind", "std"),
            rows=[(i, one.layer, one.unit, one.kind, one.std) for i, one in enumerate(layers, 1)],
            values={
                "layers": len(stds),
                "mean_std": mean,
                "median_std": median,
                "largest_std": ranked[0],
                "smallest_std": ranked[-1],
            },
            sentence=f"The responses of the {len(stds)} 3x3 layers have a standard deviation of {mean:.3g} on average, "
            f"{median:.3g} in the middle, and lie between {ranked[-1]:.3g} and {ranked[0]:.3g}; He et al. 2015 "
            "(Figure 7) found smaller ones in residual than in plain networks, and in deeper than in shallower "
            "residual ones.",
            panels=[
                lines(
                    "In the order of the layers",
                    _Y,
                    {"response": stds},
                    x_label="3x3 layer, from input to output",
                ),
                lines("Sorted by size", _Y, {"response": ranked}, x_label="3x3 layer, sorted by size"),
            ],
        )


@register
@dataclass(frozen=True, kw_only=True)
class Responses(Response):
    """The same on the first 256 images, both orders in one panel: what the experiments of he2015 were measured by."""

    kind: ClassVar[str] = "responses"
    about: ClassVar[str] = "the same on the first images of the split, in order and sorted in one panel"
    images: ClassVar[int] = ALL
    panel: ClassVar[int | None] = 0

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        found = super().find(subject.first(256))
        in_order, ranked = (panel.curves[0].y for panel in found.panels)
        curves = {"in order": in_order, "sorted": ranked}
        return dataclasses.replace(
            found,
            panels=[lines("Responses", _Y, curves, x_label="3x3 layer, from input to output")],
        )
