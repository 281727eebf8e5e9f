"""Merges whose branch stands behind a learned scale that starts at or near zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.models.slots import MergeSpec, Place
from residua.parts import register

if TYPE_CHECKING:
    from residua.nn import Merge


@register
@dataclass(frozen=True, kw_only=True)
class SkipInitMerge(MergeSpec):
    """``shortcut + gain * branch``, of one number: SkipInit (De & Smith 2020), ReZero (Bachlechner et al. 2020)."""

    kind: ClassVar[str] = "skip_init"

    start: float = 0.0

    def build(self, place: Place, out_channels: int) -> Merge:  # noqa: D102
        from residua.nn import ScaledBranch

        return ScaledBranch(start=self.start)


@register
@dataclass(frozen=True, kw_only=True)
class LayerScaleMerge(MergeSpec):
    """``shortcut + gain * branch``, a number for each channel (Touvron et al. 2021, *CaiT*)."""

    kind: ClassVar[str] = "layer_scale"

    start: float = 1e-6

    def build(self, place: Place, out_channels: int) -> Merge:  # noqa: D102
        from residua.nn import ScaledBranch

        return ScaledBranch(out_channels, start=self.start, axis=place.axis)
