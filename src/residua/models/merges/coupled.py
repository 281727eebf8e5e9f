"""The coupling of a RevNet's two streams (Gomez et al. 2017)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.models.slots import MergeSpec, Place
from residua.parts import register

if TYPE_CHECKING:
    from torch import nn

    from residua.nn import Merge


@register
@dataclass(frozen=True, kw_only=True)
class CoupledMerge(MergeSpec):
    """The units read one half of the channels and add to the other, in turn; a training inverts what it can."""

    kind: ClassVar[str] = "coupled"
    of_maps: ClassVar[bool] = True
    split: ClassVar[int] = 2

    def build(self, place: Place, out_channels: int) -> Merge:  # noqa: D102
        from residua.nn import Coupled

        return Coupled(place.index % 2)

    def ends(self) -> tuple[nn.Module, nn.Module]:  # noqa: D102
        from residua.nn import JoinChannels, SplitChannels

        return SplitChannels(), JoinChannels()

    def stage(self, units: OrderedDict[str, nn.Module]) -> nn.Sequential:  # noqa: D102
        from residua.nn import Reversible

        return Reversible(units)
