"""Residual units with branches that are known, against what is said of any: their Jacobians' singular values."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from residua.analysis.gains import EXAMPLE, Scaled
from residua.nn import Chain, Residual


def constructed(name: str, seed: int = 0) -> Tensor:
    """The singular values of the Jacobian of a construction, over 99 units or one. ``seed`` draws random branches."""
    return torch.linalg.svdvals(_CONSTRUCTIONS[name](seed))


def _jacobian(*branches: nn.Module, width: int, at: Tensor | None = None) -> Tensor:
    """The Jacobian of real residual units with these branches in a row, by autograd; at zero, or ``at`` a point."""
    chain = Chain(*(Residual(branch) for branch in branches))
    found = torch.autograd.functional.jacobian(
        chain, torch.zeros(width, dtype=torch.float64) if at is None else at
    )
    assert isinstance(found, Tensor)
    return found


def _linear(matrix: Tensor) -> nn.Module:
    layer = nn.Linear(len(matrix), len(matrix), bias=False, dtype=matrix.dtype).requires_grad_(False)
    layer.weight.copy_(matrix)
    return layer


def _random(seed: int, width: int = 32, norm: float = 0.1) -> Tensor:
    """99 units whose branches are random matrices of a spectral norm of 0.1."""
    generator = torch.Generator().manual_seed(seed)
    drawn = [torch.randn(width, width, generator=generator, dtype=torch.float64) for _ in range(EXAMPLE)]
    return _jacobian(*(_linear(norm * m / torch.linalg.matrix_norm(m, 2)) for m in drawn), width=width)


def _relu(seed: int, scale: float, units: int = 9, width: int = 32) -> Tensor:
    """Units of two layers with a ReLU between, drawn by He's rule and multiplied by ``scale``; at a random point."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    def layer() -> nn.Module:
        return _linear(scale * (2 / width) ** 0.5 * drawn(width, width))

    branches = [nn.Sequential(layer(), nn.ReLU(), layer()) for _ in range(units)]
    return _jacobian(*branches, width=width, at=drawn(width))


_CONSTRUCTIONS: dict[str, Callable[[int], Tensor]] = {
    "negation": lambda seed: _jacobian(Scaled(-1.0), width=2),
    "opposed": lambda seed: _jacobian(*(Scaled(-0.1) for _ in range(EXAMPLE)), width=2),
    "aligned": lambda seed: _jacobian(*(Scaled(0.1) for _ in range(EXAMPLE)), width=2),
    "random": _random,
    "small_relu": lambda seed: _relu(seed, 0.01),
    "he_relu": lambda seed: _relu(seed, 1.0),
    # both eigenvalues of this branch are 0, and so is its spectral radius; its norm is 10
    "nilpotent": lambda seed: _jacobian(
        _linear(torch.tensor([[0.0, 10.0], [0.0, 0.0]], dtype=torch.float64)), width=2
    ),
}
