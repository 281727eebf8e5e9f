"""Activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.models.slots import ActivationSpec
from residua.parts import register

if TYPE_CHECKING:
    from torch import nn


@register
@dataclass(frozen=True, kw_only=True)
class ReluSpec(ActivationSpec):
    """max(0, x)."""

    kind: ClassVar[str] = "relu"

    def build(self) -> nn.Module:  # noqa: D102
        from torch import nn

        return nn.ReLU()


@register
@dataclass(frozen=True, kw_only=True)
class GeluSpec(ActivationSpec):
    """x times the normal distribution's share below x (Hendrycks & Gimpel 2016)."""

    kind: ClassVar[str] = "gelu"

    def build(self) -> nn.Module:  # noqa: D102
        from torch import nn

        return nn.GELU()


@register
@dataclass(frozen=True, kw_only=True)
class SiluSpec(ActivationSpec):
    """x sigmoid(x) (Elfwing et al. 2018; Swish)."""

    kind: ClassVar[str] = "silu"

    def build(self) -> nn.Module:  # noqa: D102
        from torch import nn

        return nn.SiLU()
