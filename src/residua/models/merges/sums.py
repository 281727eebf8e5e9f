"""The sum, the branch alone, and the sum scaled by constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.models.slots import MergeSpec, Place
from residua.parts import register

if TYPE_CHECKING:
    from residua.nn import Merge


@register
@dataclass(frozen=True, kw_only=True)
class AddMerge(MergeSpec):
    """``shortcut + branch`` (He et al. 2015, eq. 1)."""

    kind: ClassVar[str] = "add"

    def build(self, place: Place, out_channels: int) -> Merge:  # noqa: D102
        from residua.nn import Add

        return Add()


@register
@dataclass(frozen=True, kw_only=True)
class BranchOnlyMerge(MergeSpec):
    """The branch alone: a plain network."""

    kind: ClassVar[str] = "branch_only"
    plain: ClassVar[bool] = True

    def build(self, place: Place, out_channels: int) -> Merge:  # noqa: D102
        from residua.nn import BranchOnly

        return BranchOnly()


@register
@dataclass(frozen=True, kw_only=True)
class ScaledMerge(MergeSpec):
    """``shortcut * shortcut + branch * branch``, both factors constant (He et al. 2016, sec. 3.1)."""

    kind: ClassVar[str] = "constant_scaling"

    shortcut: float = 0.5
    branch: float = 0.5

    def build(self, place: Place, out_channels: int) -> Merge:  # noqa: D102
        from residua.nn import ConstantScaling

        return ConstantScaling(self.shortcut, self.branch)


@register
@dataclass(frozen=True, kw_only=True)
class ConcatMerge(MergeSpec):
    """Shortcut and branch side by side (Huang et al. 2017, eq. 2)."""

    kind: ClassVar[str] = "concat"
    of_maps: ClassVar[bool] = True

    def channels(self, in_channels: int, branch: int) -> int:  # noqa: D102
        return in_channels + branch

    def build(self, place: Place, out_channels: int) -> Merge:  # noqa: D102
        from residua.nn import Concat

        return Concat(out_channels - place.in_channels)
