"""More units whose branches are zero: a deeper network that is no worse (He et al. 2015, sec. 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.analysis.finding import Finding, rows_of_figures
from residua.errors import UsageError
from residua.looks.base import ALL, Look, Subject
from residua.parts import register

if TYPE_CHECKING:
    from torch import Tensor


@register
@dataclass(frozen=True, kw_only=True)
class Deepened(Look):
    """What changes when ``units`` units whose branches are zero are put at the end of every stage.

    ``largest_change`` is of a logit; ``error_change`` in points of percent. Raises UsageError for a network whose spec
    has no ``depths``.
    """

    kind: ClassVar[str] = "deepened"
    about: ClassVar[str] = "what units whose branches are zero change at the end of every stage"
    images: ClassVar[int] = ALL

    units: int = 2

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        from residua.analysis.logits import logits_of
        from residua.nn import zero_init_branches
        from residua.registry import build

        network, spec = subject.model, subject.model.spec
        if not isinstance(getattr(spec, "depths", None), tuple):
            raise UsageError(f"{spec.name} has no stages that could be deepened")
        deeper = build(spec.change(depths=[depth + self.units for depth in spec.depths])).eval()
        deeper.load_state_dict(network.state_dict(), strict=False)
        for stage, depth in zip(deeper.stages, spec.depths, strict=True):
            for unit in stage[depth:]:
                zero_init_branches(unit)
        before, after = logits_of(network, subject.images), logits_of(deeper, subject.images)
        error, error_deepened = (_error(logits, subject.labels) for logits in (before, after))
        largest = float((after - before).abs().max())
        return Finding(
            kind=self.kind,
            title="Units whose branch is zero",
            **rows_of_figures(
                {
                    "layers": spec.depth,
                    "layers_deepened": deeper.spec.depth,
                    "largest_change": largest,
                    "error_change": error_deepened - error,
                    "error_deepened": error_deepened,
                }
            ),
            sentence=f"With {self.units} more units a stage, whose branches are zero ({spec.depth} to "
            f"{deeper.spec.depth} layers), no logit changes by more than {largest:.3g} and the error goes from "
            f"{error:.2f} to {error_deepened:.2f} %.",
        )


def _error(logits: Tensor, labels: Tensor) -> float:
    return 100 * float((logits.argmax(1) != labels).double().mean())
