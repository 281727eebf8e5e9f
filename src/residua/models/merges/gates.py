"""Shortcuts that are gated by the unit's input (He et al. 2016, sec. 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.models.slots import MergeSpec, Place
from residua.parts import register

if TYPE_CHECKING:
    from residua.nn import Gate, Merge


@dataclass(frozen=True, kw_only=True)
class _Gated(MergeSpec):
    of_maps: ClassVar[bool] = True

    bias: float = -6.0  # where b_g starts; -6 is the paper's best

    def gate(self, place: Place, out_channels: int) -> Gate:
        from residua.nn import Gate

        return Gate(place.in_channels, out_channels, place.stride, bias=self.bias)


@register
@dataclass(frozen=True, kw_only=True)
class ExclusiveGatingMerge(_Gated):
    """``(1 - g(x)) * shortcut + g(x) * branch``, as in highway networks (Figure 2c)."""

    kind: ClassVar[str] = "exclusive_gating"

    def build(self, place: Place, out_channels: int) -> Merge:  # noqa: D102
        from residua.nn import ExclusiveGating

        return ExclusiveGating(self.gate(place, out_channels))


@register
@dataclass(frozen=True, kw_only=True)
class ShortcutOnlyGatingMerge(_Gated):
    """``(1 - g(x)) * shortcut + branch`` (Figure 2d)."""

    kind: ClassVar[str] = "shortcut_only_gating"

    def build(self, place: Place, out_channels: int) -> Merge:  # noqa: D102
        from residua.nn import ShortcutOnlyGating

        return ShortcutOnlyGating(self.gate(place, out_channels))
