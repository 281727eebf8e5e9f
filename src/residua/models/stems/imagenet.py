"""Stems that reduce large images and clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.errors import UsageError
from residua.models.slots import StemSpec
from residua.parts import register

if TYPE_CHECKING:
    from torch import nn


@register
@dataclass(frozen=True, kw_only=True)
class ImageNetStemSpec(StemSpec):
    """7x7/2 convolution, norm, ReLU, 3x3/2 max-pool (He et al. 2015, Table 1)."""

    kind: ClassVar[str] = "imagenet"
    side: ClassVar[int] = 224

    @property
    def reduction(self) -> int:  # noqa: D102
        return 4

    def build(self, in_channels: int, width: int) -> nn.Module:  # noqa: D102
        from residua.nn import ImageNetStem

        return ImageNetStem(in_channels, width)


@register
@dataclass(frozen=True, kw_only=True)
class UnpaddedStemSpec(ImageNetStemSpec):
    """A variant of popular write-ups, whose pool is not padded: 55x55 maps of 224x224 images, not 56x56."""

    kind: ClassVar[str] = "imagenet-unpadded"

    def build(self, in_channels: int, width: int) -> nn.Module:  # noqa: D102
        from residua.nn import ImageNetStem

        return ImageNetStem(in_channels, width, pool_padding=0)


@register
@dataclass(frozen=True, kw_only=True)
class PoolFirstStemSpec(ImageNetStemSpec):
    """The pool before norm and ReLU, as in timm's pre-activation nets."""

    kind: ClassVar[str] = "imagenet-pool-first"

    def build(self, in_channels: int, width: int) -> nn.Module:  # noqa: D102
        from residua.nn import PoolFirstStem

        return PoolFirstStem(in_channels, width)


@register
@dataclass(frozen=True, kw_only=True)
class DeepStemSpec(ImageNetStemSpec):
    """Three 3x3 convolutions instead of one 7x7 (He et al. 2019, *Bag of Tricks*, Figure 2b)."""

    kind: ClassVar[str] = "deep"

    def validate(self) -> None:  # noqa: D102
        super().validate()
        if self.width is not None and self.width % 2:
            raise UsageError(f"the width of a deep stem must be even, not {self.width}")

    def build(self, in_channels: int, width: int) -> nn.Module:  # noqa: D102
        from residua.nn import DeepStem

        return DeepStem(in_channels, width)


@register
@dataclass(frozen=True, kw_only=True)
class ClipStemSpec(StemSpec):
    """3x7x7 convolution, strided in space alone (Tran et al. 2018, Table 1): for clips, which keep their length."""

    kind: ClassVar[str] = "clip"
    side: ClassVar[int] = 112

    @property
    def reduction(self) -> int:  # noqa: D102
        return 2

    def usual_input(self, dims: int) -> tuple[int, ...]:
        """16 frames of 112 px, as in the paper (sec. 4.1)."""
        return (16, self.side, self.side)

    def build(self, in_channels: int, width: int) -> nn.Module:  # noqa: D102
        from residua.nn import ClipStem

        return ClipStem(in_channels, width)
