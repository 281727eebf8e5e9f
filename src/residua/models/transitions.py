"""What stands between two stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.errors import UsageError
from residua.models.slots import TransitionSpec
from residua.parts import register
from residua.spec import fraction, positive

if TYPE_CHECKING:
    from torch import nn


@register
@dataclass(frozen=True, kw_only=True)
class NoTransition(TransitionSpec):
    """Nothing: the first unit of a stage takes its stride."""

    kind: ClassVar[str] = "none"
    halves: ClassVar[bool] = False

    def channels(self, in_channels: int, width: int) -> int:  # noqa: D102
        return in_channels

    def build(self, in_channels: int, out_channels: int) -> None:  # noqa: D102
        return None


@register
@dataclass(frozen=True, kw_only=True)
class DenseTransition(TransitionSpec):
    """Norm, ReLU, 1x1, 2x2 average pooling (Huang et al. 2017, sec. 3)."""

    kind: ClassVar[str] = "dense"

    compression: float = 0.5  # the part of the channels that is kept ("C"); 1: all
    dropout: float = 0.0  # after the convolution

    def validate(self) -> None:  # noqa: D102
        positive(self, "compression")
        fraction(self, "dropout")
        if self.compression > 1:
            raise UsageError(f"compression must be in (0, 1], not {self.compression}")

    def channels(self, in_channels: int, width: int) -> int:  # noqa: D102
        return int(in_channels * self.compression)

    def build(self, in_channels: int, out_channels: int) -> nn.Module:  # noqa: D102
        from residua.nn import transition

        return transition(in_channels, out_channels, self.dropout)


@register
@dataclass(frozen=True, kw_only=True)
class ConvTransition(TransitionSpec):
    """Norm over channels, 2x2 convolution with stride 2 (Liu et al. 2022, sec. 2.6)."""

    kind: ClassVar[str] = "norm_conv"

    def channels(self, in_channels: int, width: int) -> int:  # noqa: D102
        return width

    def build(self, in_channels: int, out_channels: int) -> nn.Module:  # noqa: D102
        from residua.nn import downsampling

        return downsampling(in_channels, out_channels)
