"""How far a share that was measured on n images can be trusted."""

from __future__ import annotations

import math

Z95 = 1.959963984540054  # 97.5 % quantile of the normal distribution


def wilson(share: float, n: int) -> tuple[float, float]:
    """95 % interval of a share of ``n`` images (Wilson 1927): honest also near 0 and 1."""
    centre = share + Z95**2 / (2 * n)
    half = Z95 * math.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2))
    scale = 1 + Z95**2 / n
    return min(max((centre - half) / scale, 0.0), share), max(min((centre + half) / scale, 1.0), share)


def difference(a: float, n_a: int, b: float, n_b: int) -> tuple[float, float]:
    """95 % interval of the difference ``a - b`` of two independent shares (Newcombe 1998, method 10).

    Two networks that are tested on the same images make partly the same mistakes, so this errs on the side of
    seeing no difference.
    """
    (low_a, high_a), (low_b, high_b) = wilson(a, n_a), wilson(b, n_b)
    return a - b - math.hypot(a - low_a, high_b - b), a - b + math.hypot(high_a - a, b - low_b)
