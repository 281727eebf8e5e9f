"""What a network costs, and what the branch of one unit does: exact counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from residua.analysis.finding import Cell, Finding, lines, rows_of_figures, tabulated
from residua.errors import UsageError, nearest
from residua.looks.base import Look, Subject
from residua.parts import register


@register
@dataclass(frozen=True, kw_only=True)
class Counts(Look):
    """Exact parameters and multiply-adds, in all and of each part, at ``input_shape`` or the network's usual input.

    ``pointwise_share``: the share of 1x1 convolutions in the multiply-adds, in percent.
    """

    kind: ClassVar[str] = "cost"
    about: ClassVar[str] = "exact parameters and multiply-adds, in all and of every part"
    images: ClassVar[int] = 0

    input_shape: tuple[int, ...] | None = None

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        from torch import nn

        from residua.analysis.cost import cost
        from residua.nn import residual_units

        shape = self.input_shape or subject.spec.usual_input
        counted = cost(subject.model, shape)
        values: dict[str, Cell] = {
            "parameters": counted.parameters,
            "multiply_adds": counted.multiply_adds,
            "gigaflops": counted.multiply_adds / 1e9,
            "projection_parameters": counted.projections.parameters,
            "units": len(residual_units(subject.model)),
        }
        pointwise = {
            name
            for name, module in subject.model.named_modules()
            if isinstance(module, nn.Conv2d) and set(module.kernel_size) == {1}
        }
        work = sum(layer.multiply_adds for layer in counted.layers if layer.name in pointwise)
        values["pointwise_share"] = 100 * work / counted.multiply_adds
        for part in counted.parts:
            values[f"{part.part}_parameters"] = part.parameters
            values[f"{part.part}_multiply_adds"] = part.multiply_adds
        spent = [(p.part, p.parameters, p.multiply_adds) for p in counted.parts]
        return Finding(
            kind=self.kind,
            title="Cost",
            **tabulated(*({"part": p, "parameters": n, "multiply-adds": m} for p, n, m in spent)),
            values=values,
            sentence=f"{counted.parameters:,} parameters and {counted.multiply_adds:,} multiply-adds for an input "
            f"of {'x'.join(map(str, shape))}.",
            panels=[
                lines(
                    f"{name} of the parts",
                    name,
                    {name: share},
                    x_label=f"part: {', '.join(f'{i} {part}' for i, (part, _, _) in enumerate(spent, 1))}",
                    styles={name: "bars"},
                )
                for name, share in (
                    ("parameters", [n for _, n, _ in spent]),
                    ("multiply-adds", [m for _, _, m in spent]),
                )
            ],
        )


@register
@dataclass(frozen=True, kw_only=True)
class BranchWeights(Look):
    """Weights of the convolutions of one unit's branch, and the channels that come into it; by default the first's.

    ``pointwise_share``: how many of the weights are of 1x1 convolutions, in percent; on maps of one size, of the work.
    """

    kind: ClassVar[str] = "branch_weights"
    about: ClassVar[str] = "the weights of the convolutions of one unit's branch"
    images: ClassVar[int] = 0

    unit: str = ""

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        from torch import nn

        from residua.nn import residual_units

        units = residual_units(subject.model)
        name = self.unit or next(iter(units), "")
        if name not in units:
            raise UsageError(f"there is no unit {name!r}{nearest(name, units)}")
        convs = [module for module in units[name].branch.modules() if isinstance(module, nn.Conv2d)]
        if not convs:
            raise UsageError(f"the branch of {name} has no convolutions")
        weights, channels = sum(conv.weight.numel() for conv in convs), convs[0].in_channels
        pointwise = sum(conv.weight.numel() for conv in convs if set(conv.kernel_size) == {1})
        return Finding(
            kind=self.kind,
            title="Weights of a branch",
            **rows_of_figures(
                {"weights": weights, "channels": channels, "pointwise_share": 100 * pointwise / weights}
            ),
            sentence=f"The {len(convs)} convolutions of the branch of {name} have {weights:,} weights; {channels} "
            "channels come in.",
        )
