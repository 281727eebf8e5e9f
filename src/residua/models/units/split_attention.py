"""The bottleneck around split attention (Zhang et al. 2020, *ResNeSt*)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.errors import UsageError
from residua.models.slots import Place, UnitSpec
from residua.parts import register
from residua.spec import positive

if TYPE_CHECKING:
    from torch import nn

    from residua.nn import UnitOrder


@register
@dataclass(frozen=True, kw_only=True)
class SplitAttentionUnit(UnitSpec):
    """1x1, split attention, 1x1, in the original order; a stride is taken by average pooling."""

    kind: ClassVar[str] = "split_attention"

    radix: int = 2  # splits of a cardinal group
    cardinality: int = 1  # cardinal groups
    base_width: int = 64  # channels of a cardinal group for each 64 of the stage's width
    pool_first: bool = False  # the strided pooling before the 3x3 instead of after it (the "fast" networks)
    expansion: int = 4

    def validate(self) -> None:  # noqa: D102
        positive(self, "radix", "cardinality", "base_width", "expansion")

    @property
    def convolutions(self) -> int:  # noqa: D102
        return 3

    def channels(self, width: int) -> int:  # noqa: D102
        return width * self.expansion

    def inner(self, width: int) -> int:
        """Channels of the 3x3."""
        return width * self.base_width // 64 * self.cardinality

    def check(self, place: Place) -> None:  # noqa: D102
        inner, groups = self.inner(place.width), self.radix * self.cardinality
        if inner < 1 or inner % groups:
            raise UsageError(
                f"the 3x3's {inner} channels must be a multiple of radix * cardinality = {groups}"
            )

    def build(self, place: Place, order: UnitOrder, *, preactivated: bool = False) -> nn.Module:  # noqa: D102
        from torch import nn

        from residua.nn import SplitAttention

        if order.before or order.last != "norm":
            raise UsageError("split attention ends with its sum of splits: it needs order='original'")
        inner, out_channels = self.inner(place.width), self.channels(place.width)
        pool = {"pool": nn.AvgPool2d(3, place.stride, padding=1)} if place.stride > 1 else {}
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        parts["conv1"] = nn.Conv2d(place.in_channels, inner, 1, bias=False)
        parts |= order.layers(order.after, inner, "1")
        parts |= pool if self.pool_first else {}
        parts["conv2"] = SplitAttention(inner, inner, radix=self.radix, cardinality=self.cardinality)
        parts |= {} if self.pool_first else pool
        parts["conv3"] = nn.Conv2d(inner, out_channels, 1, bias=False)
        parts |= order.layers(order.last, out_channels, "3")
        return nn.Sequential(parts)
