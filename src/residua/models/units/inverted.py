"""The unit of ConvNeXt: a depthwise convolution and a position-wise network (Liu et al. 2022, Figure 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.errors import UsageError
from residua.models.slots import Place, UnitSpec
from residua.parts import register
from residua.spec import positive

if TYPE_CHECKING:
    from torch import nn

    from residua.nn import UnitOrder


@register
@dataclass(frozen=True, kw_only=True)
class InvertedUnit(UnitSpec):
    """Depthwise convolution, norm, 1x1 to ``expansion`` times the channels, activation, 1x1; keeps the shape."""

    kind: ClassVar[str] = "inverted"

    kernel: int = 7
    expansion: int = 4

    def validate(self) -> None:  # noqa: D102
        positive(self, "kernel", "expansion")
        if self.kernel % 2 == 0:
            raise UsageError(f"the kernel of an inverted unit must be odd, not {self.kernel}")

    @property
    def convolutions(self) -> int:  # noqa: D102
        return 3

    def check(self, place: Place) -> None:  # noqa: D102
        if place.stride > 1 or place.in_channels != place.width:
            raise UsageError(
                "inverted units keep their shape: they need a transition between stages, 'norm_conv'"
            )

    def build(self, place: Place, order: UnitOrder, *, preactivated: bool = False) -> nn.Module:  # noqa: D102
        from residua.nn import inverted_branch

        if order.before or order.after or order.last or order.merged:
            raise UsageError("an inverted unit has its own norm and activation: it needs order='none'")
        return inverted_branch(place.width, self.kernel, self.expansion, norm=order.norm, act=order.act)
