"""Two 3x3 convolutions (He et al. 2015, Figure 5 left), and one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.models.slots import Place, UnitSpec
from residua.parts import register
from residua.spec import fraction

if TYPE_CHECKING:
    from torch import nn

    from residua.nn import UnitOrder


@register
@dataclass(frozen=True, kw_only=True)
class BasicUnit(UnitSpec):
    """3x3, 3x3; the stride is on the first."""

    kind: ClassVar[str] = "basic"

    dropout: float = 0.0  # before the last convolution (Zagoruyko & Komodakis 2016, sec. 2.4)

    def validate(self) -> None:  # noqa: D102
        fraction(self, "dropout")

    @property
    def convolutions(self) -> int:  # noqa: D102
        return 2

    def build(self, place: Place, order: UnitOrder, *, preactivated: bool = False) -> nn.Module:  # noqa: D102
        from residua.nn import basic_layers, conv_branch

        layers = basic_layers(place.width, place.stride)[: self.convolutions]
        return conv_branch(layers, place.in_channels, order, preactivated=preactivated, dropout=self.dropout)


@register
@dataclass(frozen=True, kw_only=True)
class OneLayerUnit(BasicUnit):
    """One 3x3 (He et al. 2015, sec. 3.2; 2016, Table 3)."""

    kind: ClassVar[str] = "one_layer"

    @property
    def convolutions(self) -> int:  # noqa: D102
        return 1
