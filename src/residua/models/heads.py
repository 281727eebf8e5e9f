"""Heads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.errors import UsageError
from residua.models.slots import HeadSpec
from residua.parts import register
from residua.spec import fraction, positive

if TYPE_CHECKING:
    from residua.nn import PoolHead


@register
@dataclass(frozen=True, kw_only=True)
class PoolHeadSpec(HeadSpec):
    """Global average pooling and one fully connected layer (He et al. 2015, Table 1)."""

    kind: ClassVar[str] = "pool"

    def build(self, channels: int, num_classes: int) -> PoolHead:  # noqa: D102
        from residua.nn import PoolHead

        return PoolHead(channels, num_classes)


@register
@dataclass(frozen=True, kw_only=True)
class HiddenHeadSpec(HeadSpec):
    """Pooling to ``size`` x ``size`` pixels, hidden layers and dropout: as before ResNets."""

    kind: ClassVar[str] = "hidden"

    size: int = 1
    hidden: tuple[int, ...] = ()
    dropout: float = 0.0  # after every hidden layer, or before the last layer where there is none

    def validate(self) -> None:  # noqa: D102
        positive(self, "size")
        fraction(self, "dropout")
        if min(self.hidden, default=1) < 1:
            raise UsageError(f"every hidden layer needs a channel: {list(self.hidden)}")

    @property
    def layers(self) -> int:  # noqa: D102
        return len(self.hidden) + 1

    def build(self, channels: int, num_classes: int) -> PoolHead:  # noqa: D102
        from residua.nn import hidden_head

        return hidden_head(channels, num_classes, self.size, self.hidden, self.dropout)


@register
@dataclass(frozen=True, kw_only=True)
class NormedHeadSpec(HeadSpec):
    """Global average pooling, layer norm and one fully connected layer (Liu et al. 2022, sec. 2.6)."""

    kind: ClassVar[str] = "normed"

    def build(self, channels: int, num_classes: int) -> PoolHead:  # noqa: D102
        from residua.nn import normed_head

        return normed_head(channels, num_classes)
