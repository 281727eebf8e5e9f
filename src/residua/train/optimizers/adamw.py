"""Adam with decoupled weight decay (Loshchilov & Hutter 2019), fused; without decay it is Adam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from residua.parts import register
from residua.spec import Optimizer, fraction


@register
@dataclass(frozen=True, kw_only=True)
class AdamW(Optimizer):
    """Decays of the two moments; the weight decay is the recipe's, of matrices only."""

    kind: ClassVar[str] = "adamw"
    decays_norms: ClassVar[bool] = False

    beta1: float = 0.9
    beta2: float = 0.999

    def validate(self) -> None:  # noqa: D102
        fraction(self, "beta1", "beta2")

    def build(self, groups: list[dict[str, Any]], lr: float) -> Any:
        """``torch.optim.AdamW``."""
        import torch

        return torch.optim.AdamW(groups, lr=lr, betas=(self.beta1, self.beta2), fused=True)
