"""The dense layer (Huang et al. 2017, sec. 3): it adds ``growth_rate`` channels to what it gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.errors import UsageError
from residua.models.slots import Place, UnitSpec
from residua.parts import register
from residua.spec import fraction, positive

if TYPE_CHECKING:
    from torch import nn

    from residua.nn import UnitOrder


@register
@dataclass(frozen=True, kw_only=True)
class DenseUnit(UnitSpec):
    """Norm, ReLU, 3x3; with a bottleneck norm, ReLU and a 1x1 stand before."""

    kind: ClassVar[str] = "dense"
    takes_width: ClassVar[bool] = False

    growth_rate: int = 32  # k: the channels that each layer adds
    bottleneck: int = 4  # the 1x1 has bottleneck * growth_rate channels ("B"); 0: none
    dropout: float = 0.0  # after every convolution (sec. 4.2: 0.2 without augmentation)

    def validate(self) -> None:  # noqa: D102
        positive(self, "growth_rate")
        fraction(self, "dropout")
        if self.bottleneck < 0:
            raise UsageError(f"bottleneck cannot be negative, not {self.bottleneck}; 0 leaves it out")

    @property
    def convolutions(self) -> int:  # noqa: D102
        return 2 if self.bottleneck else 1

    def channels(self, width: int) -> int:  # noqa: D102
        return self.growth_rate

    def build(self, place: Place, order: UnitOrder, *, preactivated: bool = False) -> nn.Module:  # noqa: D102
        from residua.nn import dense_branch

        return dense_branch(
            place.in_channels, self.growth_rate, self.bottleneck, order=order, dropout=self.dropout
        )
