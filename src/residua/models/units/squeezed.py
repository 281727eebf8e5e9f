"""Squeeze-and-excitation on any unit (Hu et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.models.slots import Place, UnitSpec
from residua.models.units.basic import BasicUnit
from residua.parts import register
from residua.spec import positive

if TYPE_CHECKING:
    from torch import nn

    from residua.nn import UnitOrder


@register
@dataclass(frozen=True, kw_only=True)
class SqueezedUnit(UnitSpec):
    """Another unit whose branch's channels are scaled by a gate of all channels' means (sec. 3)."""

    kind: ClassVar[str] = "squeezed"

    of: UnitSpec = BasicUnit()
    reduction: int = 16  # r: the gate has so many times fewer hidden channels (sec. 6.4)

    def validate(self) -> None:  # noqa: D102
        positive(self, "reduction")

    @property
    def convolutions(self) -> int:
        """Those of the unit inside: the gate's layers see one pixel, and the names of SENets do not count them."""
        return self.of.convolutions

    def channels(self, width: int) -> int:  # noqa: D102
        return self.of.channels(width)

    def check(self, place: Place) -> None:  # noqa: D102
        self.of.check(place)

    def build(self, place: Place, order: UnitOrder, *, preactivated: bool = False) -> nn.Module:  # noqa: D102
        from residua.nn import ChannelGated

        branch = self.of.build(place, order, preactivated=preactivated)
        return ChannelGated(branch, self.channels(place.width), self.reduction)

    def start_at_zero(self, branch: nn.Module) -> None:
        """Make the branch inside start at zero; a gate at zero would be half open."""
        from residua.nn import ChannelGated

        assert isinstance(branch, ChannelGated)
        self.of.start_at_zero(branch.branch)
