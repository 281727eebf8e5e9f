"""The Frechet distance of two sets of features, each taken for a Gaussian (Heusel et al. 2017, eq. 6)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from residua.errors import UsageError


@dataclass(frozen=True)
class Gaussian:
    """Mean ``(D,)`` and covariance ``(D, D)`` of features, in float64."""

    mean: Tensor
    covariance: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Gaussian:
        """The Gaussian of features ``(N, D)``."""
        values = features.double()
        return cls.of_sums(values.sum(0), values.T @ values, len(values))

    @classmethod
    def of_sums(cls, total: Tensor, products: Tensor, count: float) -> Gaussian:
        """The Gaussian of sums over ``count`` features: ``sum f`` ``(D,)`` and ``sum f f^T`` ``(D, D)``.

        The covariance is the unbiased one, and zero of a single feature. Raises UsageError without any.
        """
        if count < 1:
            raise UsageError("a Gaussian needs at least one feature")
        mean = total.double() / count
        return cls(mean, (products.double() - count * mean.outer(mean)) / max(count - 1, 1))


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """``|mean_a - mean_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2))``, the squared 2-Wasserstein distance; lower is nearer.

    The trace of the root is taken from the eigenvalues of ``C_a^(1/2) C_b C_a^(1/2)``, which is symmetric: no root of
    an ill-conditioned product, no imaginary parts. NaN where the features are not finite. Raises UsageError for
    features of different length.
    """
    if a.mean.shape != b.mean.shape:
        raise UsageError(f"features must be equally long, not {len(a.mean)} and {len(b.mean)}")
    if not all(bool(value.isfinite().all()) for g in (a, b) for value in (g.mean, g.covariance)):
        return float("nan")
    values, vectors = torch.linalg.eigh(a.covariance)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    shared = torch.linalg.eigvalsh(root @ b.covariance @ root).clamp(min=0).sqrt().sum()
    apart = (a.mean - b.mean).square().sum()
    return max(float(apart + a.covariance.trace() + b.covariance.trace() - 2 * shared), 0.0)
