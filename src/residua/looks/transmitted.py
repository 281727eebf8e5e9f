"""By what gradients are multiplied on their way back: in a network, and in constructions that break what is said."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from residua.analysis.finding import Finding, lines, rows_of_figures
from residua.looks.base import Look, Subject
from residua.parts import register


@register
@dataclass(frozen=True, kw_only=True)
class Transmitted(Look):
    """The smallest and the largest factor by which gradients are multiplied on their way back.

    Of a network: over all images and all units that keep the shape, in evaluation mode and float64. Of a
    ``construction``: the singular values of its Jacobian, over 99 units, 9 or one; the network is not looked at.
    """

    kind: ClassVar[str] = "transmitted"
    about: ClassVar[str] = "the smallest and the largest factor by which a unit multiplies a gradient"
    images: ClassVar[int] = 32
    float64: ClassVar[bool] = True
    panel: ClassVar[int | None] = 0

    construction: (
        Literal["negation", "opposed", "aligned", "random", "nilpotent", "small_relu", "he_relu"] | None
    ) = None

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        from residua.analysis.constructions import constructed
        from residua.analysis.unit_calls import transmitted

        if self.construction is not None:
            factors = constructed(self.construction, subject.seed)
            least, greatest, panels, more = float(factors.min()), float(factors.max()), [], {}
        else:
            by_unit = transmitted(*subject.shown)  # (units, N)
            least, greatest = float(by_unit.min()), float(by_unit.max())
            more = {"below_1": 100 * float((by_unit < 1).double().mean())}
            smallest = {"least by unit": by_unit.min(1).values.tolist()}
            panels = [lines("Smallest factor of a unit", "factor of the gradient's norm", smallest)]
        return Finding(
            kind=self.kind,
            title="What a unit does to a gradient",
            **rows_of_figures({"least": least, "greatest": greatest, **more}),
            sentence=f"Gradients are multiplied by {least:.3g} to {greatest:.3g}.",
            panels=panels,
        )


@register
@dataclass(frozen=True, kw_only=True)
class ScalarGrowth(Look):
    """``factor ** L`` as autograd finds it in L residual units, and how fast it grows with L.

    A power of L has one degree (the slope of log against log) whatever L is: ``degree_ratio`` is that from 2 L to 4 L
    over that from L to 2 L. It is 1 of every polynomial's leading power, and 2 of an exponential. ``first_order`` is
    1 + n e of n units x + e x, ``first_order_error`` how far it is from the product, relative to that.
    """

    kind: ClassVar[str] = "scalar_growth"
    about: ClassVar[str] = "factor^L as autograd finds it in L units, and how fast it grows"
    images: ClassVar[int] = 0
    offered: ClassVar[bool] = False
    panel: ClassVar[int | None] = 0

    factor: float

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        from residua.analysis.gains import EXAMPLE, scalar_product

        lengths = [EXAMPLE * 2**k for k in range(3)]
        logs = [math.log2(scalar_product(self.factor, length).gradient) for length in lengths]
        product = scalar_product(self.factor).gradient
        ratio = (logs[2] - logs[1]) / (logs[1] - logs[0])
        first_order = 1 + EXAMPLE * (self.factor - 1)
        return Finding(
            kind=self.kind,
            title="A product of equal factors",
            **rows_of_figures(
                {
                    "product": product,
                    "degree": logs[1] - logs[0],
                    "degree_ratio": ratio,
                    "first_order": first_order,
                    "first_order_error": abs(first_order - product) / product,
                }
            ),
            sentence=f"{self.factor:g}^{EXAMPLE} = {product:.4g}; its degree grows {ratio:.3g}-fold as L doubles.",
            panels=[
                lines("Growth", "log2", {"log2 product": logs}, x=lengths, x_label="number of units"),
            ],
        )
