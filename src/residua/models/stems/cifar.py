"""Stems that keep small images, clips and volumes whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.models.slots import StemSpec
from residua.parts import register

if TYPE_CHECKING:
    from torch import nn


@register
@dataclass(frozen=True, kw_only=True)
class CifarStemSpec(StemSpec):
    """3x3 convolution, norm, ReLU (He et al. 2015, sec. 4.2)."""

    kind: ClassVar[str] = "cifar"
    side: ClassVar[int] = 32

    @property
    def reduction(self) -> int:  # noqa: D102
        return 1

    def usual_input(self, dims: int) -> tuple[int, ...]:
        """32 px, or 8 slices of 16 px."""
        return (self.side, self.side) if dims == 2 else (8, 16, 16)

    def build(self, in_channels: int, width: int) -> nn.Module:  # noqa: D102
        from residua.nn import CifarStem

        return CifarStem(in_channels, width)


@register
@dataclass(frozen=True, kw_only=True)
class BareCifarStemSpec(CifarStemSpec):
    """A 3x3 convolution alone (Zagoruyko & Komodakis 2016, Table 1): norm and ReLU stand in the first unit."""

    kind: ClassVar[str] = "cifar-conv"
    bare: ClassVar[bool] = True

    def build(self, in_channels: int, width: int) -> nn.Module:  # noqa: D102
        from residua.nn import BareCifarStem

        return BareCifarStem(in_channels, width)
