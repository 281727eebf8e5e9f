"""1x1, 3x3, 1x1 (He et al. 2015, Figure 5 right), and its parallel paths (Xie et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from residua.errors import UsageError
from residua.models.slots import Place, UnitSpec
from residua.parts import register
from residua.spec import fraction, positive

if TYPE_CHECKING:
    from torch import nn

    from residua.nn import UnitOrder


@register
@dataclass(frozen=True, kw_only=True)
class BottleneckUnit(UnitSpec):
    """1x1, 3x3, 1x1 to ``expansion`` times the stage's width."""

    kind: ClassVar[str] = "bottleneck"

    expansion: int = 4
    stride_on: Literal["1x1", "3x3"] = "3x3"  # "1x1" is the paper's v1, "3x3" is v1.5
    cardinality: int = 1  # paths of the 3x3 (Xie et al. 2016)
    path_width: int | None = None  # channels of a path in the first stage; None: its width
    dropout: float = 0.0  # before the last convolution (Zagoruyko & Komodakis 2016, sec. 2.4)

    def validate(self) -> None:  # noqa: D102
        positive(self, "expansion", "cardinality", *([] if self.path_width is None else ["path_width"]))
        fraction(self, "dropout")
        if self.cardinality > 1 and self.path_width is None:
            raise UsageError(
                f"{self.cardinality} paths need a path_width, the channels of each in the first stage"
            )

    @property
    def convolutions(self) -> int:  # noqa: D102
        return 3

    def channels(self, width: int) -> int:  # noqa: D102
        return width * self.expansion

    def inner(self, place: Place) -> int:
        """Channels of the 3x3: those of all its paths."""
        if self.path_width is None:
            return place.width
        return self.path_width * place.width // place.first_width * self.cardinality

    def check(self, place: Place) -> None:  # noqa: D102
        if self.inner(place) < 1:
            raise UsageError(
                f"path_width {self.path_width} leaves a stage of width {place.width} without channels"
            )

    def build(self, place: Place, order: UnitOrder, *, preactivated: bool = False) -> nn.Module:  # noqa: D102
        from residua.nn import bottleneck_layers, conv_branch

        layers = bottleneck_layers(
            place.width,
            place.stride,
            expansion=self.expansion,
            stride_on=self.stride_on,
            inner=self.inner(place),
            cardinality=self.cardinality,
        )
        return conv_branch(layers, place.in_channels, order, preactivated=preactivated, dropout=self.dropout)
