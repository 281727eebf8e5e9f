"""A generator and a discriminator as one module, and the two parts that only they have."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from residua.errors import UsageError
from residua.nn.residual import residual_units
from residua.nn.spectral import SpectralNorm


class LatentStem(nn.Module):
    """A fully connected layer from a latent ``(N, latent)`` to the first maps ``(N, width, side, side)``."""

    def __init__(self, latent: int, width: int, side: int) -> None:
        super().__init__()
        self.fc = nn.Linear(latent, width * side * side)
        self.shape = (width, side, side)

    def forward(self, latent: Tensor) -> Tensor:
        """Make maps of latents."""
        return self.fc(latent).unflatten(1, self.shape)


class ScoreHead(nn.Module):
    """ReLU, global sum pooling, one fully connected layer: maps ``(N, C, H, W)`` to one score each, ``(N,)``."""

    def __init__(self, fc: nn.Linear) -> None:
        super().__init__()
        self.act = nn.ReLU()
        self.fc = fc

    def forward(self, features: Tensor) -> Tensor:
        """Score feature maps."""
        return self.fc(self.act(features).sum((2, 3))).squeeze(1)


class GANPair(nn.Module):
    """A generator and the discriminator that trains it.

    Args:
        spec: kept as ``model.spec``; it says ``latent`` and ``image_shape``.
        generator: latents ``(N, latent)`` to images ``(N, C, S, S)`` with values in [-1, 1].
        discriminator: such images to scores ``(N,)``, high for images that it takes for real ones.

    """

    def __init__(self, *, spec: Any, generator: nn.Module, discriminator: nn.Module) -> None:
        super().__init__()
        self.spec = spec
        self.generator = generator
        self.discriminator = discriminator

    def forward(self, latent: Tensor) -> Tensor:
        """What the discriminator says of the images made of latents ``(N, latent)``: scores ``(N,)``.

        Raises UsageError for another shape.
        """
        if latent.ndim != 2 or latent.shape[1] != self.spec.latent:
            raise UsageError(
                f"{self.spec.name} makes images of latents (N, {self.spec.latent}), got {tuple(latent.shape)}"
            )
        return self.discriminator(self.generator(latent))

    def sample(self, count: int) -> Tensor:
        """``count`` images ``(count, C, S, S)`` in [-1, 1] of latents from torch's default generator."""
        device = next(self.parameters()).device
        return self.generator(torch.randn(count, self.spec.latent, device=device))


def glorot_init(model: nn.Module) -> None:
    """Draw weights from Glorot's uniform distribution, branches with a gain of sqrt(2), biases zero.

    So do the authors of the spectral normalisation paper in their own networks. Estimates of singular vectors are
    made anew.
    """
    in_branches = {m for unit in residual_units(model).values() for m in unit.branch.modules()}
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight, math.sqrt(2) if module in in_branches else 1.0)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        if isinstance(module, SpectralNorm):
            module.settle()
