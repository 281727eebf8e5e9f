"""The identity in every unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.models.slots import NormSpec, ShortcutSpec
from residua.parts import register

if TYPE_CHECKING:
    from torch import nn


@register
@dataclass(frozen=True, kw_only=True)
class IdentityShortcut(ShortcutSpec):
    """Nothing on the shortcut: of networks whose shape changes between their stages alone."""

    kind: ClassVar[str] = "identity"
    changes_shape: ClassVar[bool] = False

    def build(self, in_channels: int, out_channels: int, stride: int, *, norm: NormSpec | None) -> nn.Module:  # noqa: D102
        from torch import nn

        return nn.Identity()
