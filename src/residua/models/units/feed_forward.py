"""Two fully connected layers (Gorishniy et al. 2021, sec. 3.2): the unit of networks over the rows of a table."""

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
class FeedForwardUnit(UnitSpec):
    """``Dropout(Linear(Dropout(ReLU(Linear(BatchNorm(x))))))``, hidden values ``expansion`` times the width."""

    kind: ClassVar[str] = "feed_forward"

    expansion: float = 2.0
    dropout: float = 0.3  # of the hidden values
    branch_dropout: float = 0.0  # of what is added to the shortcut ("residual dropout" in the paper)

    def validate(self) -> None:  # noqa: D102
        positive(self, "expansion")
        fraction(self, "dropout", "branch_dropout")

    @property
    def convolutions(self) -> int:
        """Fully connected layers, which count here as convolutions do."""
        return 2

    def check(self, place: Place) -> None:  # noqa: D102
        if place.axis != -1:
            raise UsageError(f"a {self.kind} unit is of rows of a table: a network of maps takes another")
        if int(self.expansion * place.width) < 1:
            raise UsageError(f"expansion {self.expansion:g} leaves a width of {place.width} no hidden values")

    def build(self, place: Place, order: UnitOrder, *, preactivated: bool = False) -> nn.Module:  # noqa: D102
        from collections import OrderedDict

        from torch import nn

        hidden = int(self.expansion * place.width)
        before = {} if preactivated else order.layers("norm", place.in_channels)
        return nn.Sequential(
            OrderedDict(
                before,
                fc1=nn.Linear(place.in_channels, hidden),
                act=order.act(),
                dropout1=nn.Dropout(self.dropout),
                fc2=nn.Linear(hidden, place.width),
                dropout2=nn.Dropout(self.branch_dropout),
            )
        )
