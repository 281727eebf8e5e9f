"""Shortcuts with a 1x1 convolution: options B and C (He et al. 2015, sec. 3.3), and that of ResNet-D."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.models.slots import NormSpec, ShortcutSpec
from residua.parts import register

if TYPE_CHECKING:
    from torch import nn


@register
@dataclass(frozen=True, kw_only=True)
class ProjectedShortcut(ShortcutSpec):
    """A strided 1x1 where the shape changes (a stride of 2 changes it even if the channels stay), else the identity."""

    kind: ClassVar[str] = "B"
    everywhere: ClassVar[bool] = False
    pool: ClassVar[bool] = False

    def build(self, in_channels: int, out_channels: int, stride: int, *, norm: NormSpec | None) -> nn.Module:  # noqa: D102
        from torch import nn

        from residua.nn import Projection

        if stride == 1 and in_channels == out_channels and not self.everywhere:
            return nn.Identity()
        return Projection(
            in_channels, out_channels, stride, norm=norm.build if norm else None, pool=self.pool
        )


@register
@dataclass(frozen=True, kw_only=True)
class ProjectedEverywhere(ProjectedShortcut):
    """A 1x1 in every unit; also the "1x1 convolutional shortcut" of He et al. 2016 (Figure 2e)."""

    kind: ClassVar[str] = "C"
    everywhere: ClassVar[bool] = True


@register
@dataclass(frozen=True, kw_only=True)
class PooledShortcut(ProjectedShortcut):
    """As B, but an average pooling takes the stride, so that all pixels count (He et al. 2019, Figure 2c: ResNet-D)."""

    kind: ClassVar[str] = "D"
    pool: ClassVar[bool] = True
