"""Norms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.models.slots import NormSpec
from residua.parts import register
from residua.spec import positive

if TYPE_CHECKING:
    from torch import nn


@register
@dataclass(frozen=True, kw_only=True)
class BatchNormSpec(NormSpec):
    """Over the batch (Ioffe & Szegedy 2015)."""

    kind: ClassVar[str] = "batch"

    eps: float = 1e-5
    momentum: float = 0.1  # the weight of a new batch in the running statistics

    def validate(self) -> None:  # noqa: D102
        positive(self, "eps", "momentum")

    def build(self, channels: int) -> nn.Module:  # noqa: D102
        from torch import nn

        return nn.BatchNorm2d(channels, self.eps, self.momentum)


@register
@dataclass(frozen=True, kw_only=True)
class GroupNormSpec(NormSpec):
    """Over groups of channels of one image (Wu & He 2018): the batch may be small."""

    kind: ClassVar[str] = "group"

    groups: int = 8  # as many as divide the channels, where these do not
    eps: float = 1e-5

    def validate(self) -> None:  # noqa: D102
        positive(self, "groups", "eps")

    def build(self, channels: int) -> nn.Module:  # noqa: D102
        import math

        from torch import nn

        return nn.GroupNorm(math.gcd(self.groups, channels), channels, self.eps)


@register
@dataclass(frozen=True, kw_only=True)
class ChannelNormSpec(NormSpec):
    """Over the channels of each pixel (Ba et al. 2016; in maps, Liu et al. 2022)."""

    kind: ClassVar[str] = "channel"

    eps: float = 1e-6

    def validate(self) -> None:  # noqa: D102
        positive(self, "eps")

    def build(self, channels: int) -> nn.Module:  # noqa: D102
        from residua.nn import ChannelNorm

        return ChannelNorm(channels, self.eps)


@register
@dataclass(frozen=True, kw_only=True)
class NoNormSpec(NormSpec):
    """None (De & Smith 2020): the branches' scale is left to their weights and to the merge."""

    kind: ClassVar[str] = "none"

    def build(self, channels: int) -> nn.Module:  # noqa: D102
        from torch import nn

        return nn.Identity()
