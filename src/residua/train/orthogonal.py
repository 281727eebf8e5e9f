"""Steps whose matrices are orthogonal: the arithmetic of Muon (Jordan 2024, kellerjordan.github.io/posts/muon)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # Jordan's: steep at 0, and near enough to 1 from then on


class OrthogonalSGD(torch.optim.SGD):
    """SGD with Nesterov momentum; of ``matrices`` the momentum is made orthogonal before it is the step.

    Groups are torch's, with ``lr`` and ``weight_decay``. A parameter among the matrices is one with a row for each
    output channel, whatever its other axes. To SGD their orthogonal momentum is the gradient, and there is no other
    momentum: so their weight decay is decoupled.
    """

    def __init__(
        self,
        matrices: Sequence[dict[str, Any]],
        others: Sequence[dict[str, Any]],
        *,
        lr: float,
        momentum: float,
        other_momentum: float,
        iterations: int,
    ) -> None:
        nesterov = {"momentum": other_momentum, "nesterov": other_momentum > 0, "orthogonal": False}
        groups = [{**group, "momentum": 0.0, "nesterov": False, "orthogonal": True} for group in matrices]
        super().__init__([*groups, *({**group, **nesterov} for group in others)], lr=lr, fused=True)
        self._momentum, self._iterations = momentum, iterations
        for group in self.param_groups:
            for parameter in group["params"]:  # there from the start, as of SGD
                self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # without a closure, which nobody here has
        """Take a step. Gradients of the matrices are afterwards what was stepped along."""
        for group in self.param_groups:
            for parameter in group["params"] if group["orthogonal"] else ():
                if parameter.grad is not None:
                    momentum = self.state[parameter]["momentum_buffer"].lerp_(
                        parameter.grad, 1 - self._momentum
                    )
                    ahead = parameter.grad.lerp(momentum, self._momentum).flatten(1)
                    scale = math.sqrt(max(1.0, len(ahead) / ahead.shape[1]))
                    step = orthogonalized(ahead, self._iterations).mul_(scale)
                    parameter.grad.copy_(step.view(parameter.shape))
        super().step()


def orthogonalized(matrix: Tensor, iterations: int) -> Tensor:
    """A matrix (rows, columns) with the singular vectors of this one, and singular values of about 1 (0.7 to 1.2).

    The iteration of Newton and Schulz with Jordan's quintic. On a GPU bfloat16 is enough for it; elsewhere float32.
    """
    a, b, c = COEFFICIENTS
    tall = len(matrix) > matrix.shape[1]
    x = matrix.bfloat16() if matrix.is_cuda else matrix.float()
    x = x.T if tall else x  # of the two products with its transpose, the smaller one
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(iterations):
        squared = x @ x.T
        x = torch.addmm(x, torch.addmm(squared, squared, squared, beta=b, alpha=c), x, beta=a)
    return (x.T if tall else x).to(matrix.dtype)
