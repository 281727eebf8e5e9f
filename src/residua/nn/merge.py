"""How a unit joins its shortcut and its branch. The sum is a module, so that taps can be put on it."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Merge(nn.Module, ABC):
    """Joins ``x`` (the unit's input), its shortcut and its branch; a gate needs all three."""

    @abstractmethod
    def forward(self, x: Tensor, shortcut: Tensor, branch: Tensor) -> Tensor:
        """The merged value."""

    @abstractmethod
    def without_branch(self, x: Tensor, shortcut: Tensor) -> Tensor:
        """The merged value of a unit whose branch is zero (dropped, or cut out in a lesion study)."""


class Add(Merge):
    """``shortcut + branch`` (He et al. 2015, eq. 1)."""

    def forward(self, x: Tensor, shortcut: Tensor, branch: Tensor) -> Tensor:  # noqa: D102
        return shortcut + branch

    def without_branch(self, x: Tensor, shortcut: Tensor) -> Tensor:  # noqa: D102
        return shortcut


class BranchOnly(Merge):
    """The branch alone: a plain unit, of the same class and with the same taps as a residual one."""

    def forward(self, x: Tensor, shortcut: Tensor, branch: Tensor) -> Tensor:  # noqa: D102
        return branch

    def without_branch(self, x: Tensor, shortcut: Tensor) -> Tensor:
        """Bypass the layer (Veit et al. 2016, sec. 4.1): zeroing a plain layer would cut the network in two."""
        return shortcut
