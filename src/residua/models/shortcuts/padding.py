"""Parameter-free shortcuts: option A (He et al. 2015, sec. 3.3 and 4.1) and its relatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.models.slots import NormSpec, ShortcutSpec
from residua.parts import register
from residua.spec import fraction

if TYPE_CHECKING:
    from torch import nn


@register
@dataclass(frozen=True, kw_only=True)
class PaddedShortcut(ShortcutSpec):
    """Identity where the shape stays; else every stride-th pixel, and zeros after the old channels."""

    kind: ClassVar[str] = "A"
    split: ClassVar[bool] = False  # the zeros on both sides of the old channels

    def build(self, in_channels: int, out_channels: int, stride: int, *, norm: NormSpec | None) -> nn.Module:  # noqa: D102
        from residua.nn import pad_shortcut

        return pad_shortcut(in_channels, out_channels, stride, split=self.split)


@register
@dataclass(frozen=True, kw_only=True)
class SplitPaddedShortcut(PaddedShortcut):
    """As A, with half of the zeros before the old channels, as one widely used peer has it."""

    kind: ClassVar[str] = "A-split"
    split: ClassVar[bool] = True


@register
@dataclass(frozen=True, kw_only=True)
class DroppedShortcut(PaddedShortcut):
    """As A, then a dropout (He et al. 2016, sec. 3.1 and Figure 2f)."""

    kind: ClassVar[str] = "dropout"

    rate: float = 0.5

    def validate(self) -> None:  # noqa: D102
        fraction(self, "rate")

    def build(self, in_channels: int, out_channels: int, stride: int, *, norm: NormSpec | None) -> nn.Module:  # noqa: D102
        from residua.nn import DropoutShortcut

        return DropoutShortcut(in_channels, out_channels, stride, rate=self.rate)


@register
@dataclass(frozen=True, kw_only=True)
class PooledPaddedShortcut(SplitPaddedShortcut):
    """As A-split, but an average pooling takes the stride (Gomez et al. 2017, by the authors' code)."""

    kind: ClassVar[str] = "A-pool"

    def build(self, in_channels: int, out_channels: int, stride: int, *, norm: NormSpec | None) -> nn.Module:  # noqa: D102
        from torch import nn

        padding = super().build(in_channels, out_channels, 1, norm=norm)
        return padding if stride == 1 else nn.Sequential(nn.AvgPool2d(stride), padding)
