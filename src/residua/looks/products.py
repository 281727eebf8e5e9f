"""Products of many factors: (1 - e)^L and (1 + e)^L, and what gradients are really multiplied by from unit to unit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.analysis.finding import Finding, Panel, lines
from residua.looks.base import Look, Subject
from residua.parts import register

if TYPE_CHECKING:
    from residua.analysis.gains import Gains


@register
@dataclass(frozen=True, kw_only=True)
class Products(Look):
    """The scalar example beside what the gradients of real networks are multiplied by."""

    kind: ClassVar[str] = "products"
    about: ClassVar[str] = "0.9^99 and 1.1^99 beside what the gradients of real networks are multiplied by"
    images: ClassVar[int] = 32
    float64: ClassVar[bool] = True

    def find(self, subject: Subject) -> Finding:  # noqa: D102

        from residua.analysis.gains import EXAMPLE, measured_gains, scalar_product

        scalars = [scalar_product(factor) for factor in (0.9, 1.1, 1 + 1 / EXAMPLE)]
        falling, rising, steady = (s.gradient for s in scalars)
        measured = measured_gains(*subject.shown, seed=subject.seed)
        given = measured[0]
        lengths = (10, EXAMPLE, 1000)
        fixed = [scalar_product(1.1, n).gradient for n in lengths]
        shrinking = [scalar_product(1 + 1 / n, n).gradient for n in lengths]
        rows = [(f"scalar example, {s.factor:.3g}", s.length, s.factor, s.gradient) for s in scalars]
        rows += [(g.label, len(g.gains), g.mean, g.product) for g in measured]
        return Finding(
            kind=self.kind,
            title="Products of many factors",
            columns=("network", "factors", "mean factor", "product"),
            rows=rows,
            values={
                "scalar_0.9": falling,
                "scalar_1.1": rising,
                "scalar_1_plus_1_over_L": steady,
                **{f"fixed_e_{n}": value for n, value in zip(lengths, fixed, strict=True)},
                **{f"e_over_L_{n}": value for n, value in zip(lengths, shrinking, strict=True)},
                "mean_factor": given.mean,
                "product": given.product,
                "images": len(subject.images),
                "seed": subject.seed,
            },
            sentence=(
                f"0.9^{EXAMPLE} = {falling:.3g} and 1.1^{EXAMPLE} = {rising:,.0f}: (1 + e)^L is exponential in L "
                f"({fixed[-1]:.2g} at L = {lengths[-1]}), and stays small only where e shrinks as 1 / L "
                f"({shrinking[-1]:.3g} at L = {lengths[-1]}). In this network a unit multiplies the gradient by "
                f"{given.mean:.3g} on the mean, {len(given.gains)} of them by {given.product:.3g}."
            ),
            panels=[_panel(measured)],
        )


def _panel(measured: Sequence[Gains]) -> Panel:
    depth = range(len(measured[0].gains) + 1)
    powers = {f"{base:g}^k": [base**k for k in depth] for base in (0.9, 1.1)}
    backward = {one.label: [math.prod(one.gains[len(one.gains) - k :]) for k in depth] for one in measured}
    return lines(
        "What becomes of the gradient",
        "norm, relative to that at the last unit",
        powers | backward,
        x=depth,
        x_label="units walked back from the last one",
        styles=dict.fromkeys(powers, "dashed"),
        log_y=True,
    )
