"""The stem of ConvNeXt: patches that do not overlap (Liu et al. 2022, sec. 2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.models.slots import StemSpec
from residua.parts import register
from residua.spec import positive

if TYPE_CHECKING:
    from torch import nn


@register
@dataclass(frozen=True, kw_only=True)
class PatchStemSpec(StemSpec):
    """A strided convolution of ``patch`` x ``patch`` pixels, and a norm over channels."""

    kind: ClassVar[str] = "patches"
    side: ClassVar[int] = 224

    patch: int = 4

    def validate(self) -> None:  # noqa: D102
        super().validate()
        positive(self, "patch")

    @property
    def reduction(self) -> int:  # noqa: D102
        return self.patch

    def build(self, in_channels: int, width: int) -> nn.Module:  # noqa: D102
        from residua.nn import PatchifyStem

        return PatchifyStem(in_channels, width, self.patch)
