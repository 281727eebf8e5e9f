"""Hyper-connections: several streams between the units (Zhu et al. 2024), and mHC (Xie et al. 2025)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from residua.models.slots import MergeSpec, Place
from residua.parts import register
from residua.spec import positive

if TYPE_CHECKING:
    from torch import nn

    from residua.nn import Merge


@register
@dataclass(frozen=True, kw_only=True)
class HyperMerge(MergeSpec):
    """The branch reads a weighted sum of n streams, which are mixed; each gets the branch with a weight of its own."""

    kind: ClassVar[str] = "hyper"

    n: int = 4
    # constrained: mHC, whose mixture is doubly stochastic
    weights: Literal["static", "dynamic", "constrained"] = "dynamic"

    def validate(self) -> None:  # noqa: D102
        positive(self, "n")

    @property
    def streams(self) -> int:  # noqa: D102
        return self.n

    def build(self, place: Place, out_channels: int) -> Merge:  # noqa: D102
        from residua.nn import HyperConnection, stream_weights

        parts = stream_weights(self.weights, self.n, place.in_channels, out_channels, first=place.index)
        return HyperConnection(self.n, **parts, axis=place.axis)

    def ends(self) -> tuple[nn.Module, nn.Module]:  # noqa: D102
        from residua.nn import CopyStreams, MeanStreams

        return CopyStreams(self.n), MeanStreams(self.n)
