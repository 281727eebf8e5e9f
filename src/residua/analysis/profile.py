"""Gradient by depth: plain and residual, with and without norms, after He and after Xavier.

Write-ups say that gradients of plain networks vanish and that shortcuts prevent it. He et al. 2015 (sec. 4.1) found
"healthy norms" in their plain networks, thanks to batch normalisation: so it is measured with norms and without.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from residua.analysis.gradient import UnitGradient, training_step_gradients
from residua.analysis.variants import Init, variants


@dataclass(frozen=True, kw_only=True)
class GradientProfile:
    """The gradients at the units of one variant of a network, in a training step at its initialisation."""

    network: str
    init: Init
    norms: bool
    units: list[UnitGradient]

    @property
    def ratio(self) -> float:
        """The norm at the first unit's input over that at the last one's: below 1 it vanishes on its way."""
        return first_over_last(self.units)


def gradient_profiles(
    networks: Mapping[str, nn.Module], images: Tensor, labels: Tensor, *, seed: int = 0
) -> list[GradientProfile]:
    """The gradients of freshly drawn networks, each with and without its norms, after He and after Xavier.

    In float64 and training mode (statistics of the batch). ``images`` is ``(N, C, H, W)`` with N of 2 or more,
    normalised as in training; ``labels`` int64 ``(N,)``; ``networks`` by name, of any depth. Raises UsageError for
    fewer images.
    """
    return [
        GradientProfile(
            network=variant.network,
            init=variant.init,
            norms=variant.norms,
            units=training_step_gradients(variant.model, images, labels, seed=seed),
        )
        for variant in variants(networks, seed=seed)
    ]


def first_over_last(units: Sequence[UnitGradient]) -> float:
    """The norm at the first unit's input over that at the last one's; NaN where none arrives there."""
    return units[0].norm / units[-1].norm if units and units[-1].norm else math.nan
