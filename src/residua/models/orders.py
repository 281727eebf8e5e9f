"""The five orders of He et al. 2016, Figure 4; what each is stands in ``residua.nn.ORDERS``."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.models.slots import ActivationSpec, NormSpec, OrderSpec
from residua.parts import register

if TYPE_CHECKING:
    from residua.nn import UnitOrder


@dataclass(frozen=True, kw_only=True)
class _NamedOrder(OrderSpec):
    def build(self, norm: NormSpec, activation: ActivationSpec) -> UnitOrder:
        from residua.nn import ORDERS

        return dataclasses.replace(ORDERS[self.kind], norm=norm.build, act=activation.build)


@register
@dataclass(frozen=True, kw_only=True)
class OriginalOrder(_NamedOrder):
    """a: norm after each convolution, activation after the sum (He et al. 2015)."""

    kind: ClassVar[str] = "original"


@register
@dataclass(frozen=True, kw_only=True)
class NormAfterAddition(_NamedOrder):
    """b."""

    kind: ClassVar[str] = "bn_after_addition"


@register
@dataclass(frozen=True, kw_only=True)
class ActivationBeforeAddition(_NamedOrder):
    """c."""

    kind: ClassVar[str] = "relu_before_addition"


@register
@dataclass(frozen=True, kw_only=True)
class ActivationOnlyPreact(_NamedOrder):
    """d."""

    kind: ClassVar[str] = "relu_only_preact"


@register
@dataclass(frozen=True, kw_only=True)
class FullPreact(_NamedOrder):
    """e: norm and activation before each convolution, nothing after the sum."""

    kind: ClassVar[str] = "full_preact"


@register
@dataclass(frozen=True, kw_only=True)
class NoOrder(OrderSpec):
    """Norms and activations where the unit has them, and none round it."""

    kind: ClassVar[str] = "none"

    def build(self, norm: NormSpec, activation: ActivationSpec) -> UnitOrder:  # noqa: D102
        from residua.nn import UnitOrder

        return UnitOrder(norm=norm.build, act=activation.build)
