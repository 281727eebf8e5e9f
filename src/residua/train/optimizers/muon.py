"""Muon (Jordan 2024, kellerjordan.github.io/posts/muon): the steps of convolutions are made orthogonal.

torch's own ``torch.optim.Muon`` refuses what is no matrix, and computes in bfloat16, which many processors emulate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from residua.errors import UsageError
from residua.parts import register
from residua.spec import Optimizer, fraction, positive


@register
@dataclass(frozen=True, kw_only=True)
class Muon(Optimizer):
    """The step of a convolution's matrix, one row an output channel, is the momentum with singular values about 1.

    All else (the fully connected layer, norms, biases) takes steps of SGD with Nesterov momentum, at ``other_lr`` of
    the rate. The weight decay of convolutions is decoupled.
    """

    kind: ClassVar[str] = "muon"

    momentum: float = 0.95
    iterations: int = 5  # of Newton and Schulz
    other_lr: float = 1.0
    other_momentum: float = 0.9

    def validate(self) -> None:  # noqa: D102
        fraction(self, "momentum", "other_momentum")
        positive(self, "iterations", "other_lr")

    def build(self, groups: list[dict[str, Any]], lr: float) -> Any:
        """Raises UsageError for a network without convolutions."""
        from residua.train.orthogonal import OrthogonalSGD

        sides: tuple[list[dict[str, Any]], ...] = ([], [])  # of convolutions, of all else
        for group in groups:
            for side, rate in ((0, 1.0), (1, self.other_lr)):
                chosen = [p for p in group["params"] if (p.ndim <= 2) == side]
                if chosen:
                    sides[side].append({**group, "params": chosen, "lr": group["lr"] * rate})
        if not sides[0]:
            raise UsageError(f"{self.title()} is for convolutions, which this network has not: sgd or adamw")
        return OrthogonalSGD(
            *sides,
            lr=lr,
            momentum=self.momentum,
            other_momentum=self.other_momentum,
            iterations=self.iterations,
        )
