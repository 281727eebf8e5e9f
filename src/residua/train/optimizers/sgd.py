"""Stochastic gradient descent with momentum, fused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from residua.errors import UsageError
from residua.parts import register
from residua.spec import Optimizer


@register
@dataclass(frozen=True, kw_only=True)
class SGD(Optimizer):
    """As He et al. use it: every parameter decays."""

    kind: ClassVar[str] = "sgd"

    momentum: float = 0.9
    nesterov: bool = False

    def validate(self) -> None:  # noqa: D102
        if not 0 <= self.momentum <= 1:
            raise UsageError(f"{self.title()}.momentum must be in [0, 1], not {self.momentum}")
        if self.nesterov and not self.momentum:
            raise UsageError(f"{self.title()}.nesterov needs a momentum above 0")

    def build(self, groups: list[dict[str, Any]], lr: float) -> Any:
        """``torch.optim.SGD``, its momentum buffers there from the start."""
        import torch

        optimizer = torch.optim.SGD(groups, lr=lr, momentum=self.momentum, nesterov=self.nesterov, fused=True)
        if self.momentum:
            # fused SGD cannot start a buffer later than the others, as a unit skipped at first would
            for parameter in (p for group in optimizer.param_groups for p in group["params"]):
                optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        return optimizer
