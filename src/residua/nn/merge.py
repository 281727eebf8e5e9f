"""How a unit joins its shortcut and its branch. The sum is a module, so that taps can be put on it."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Merge(nn.Module, ABC):
    """Joins ``x`` (the unit's input), its shortcut and its branch; a gate needs all three.

    Where ``x`` holds several streams (``nn.streams``), ``read`` says what of them the branch sees.
    """

    streams = 1

    def read(self, x: Tensor) -> Tensor:
        """What the branch sees of the unit's input: all of it."""
        return x

    @abstractmethod
    def forward(self, x: Tensor, shortcut: Tensor, branch: Tensor) -> Tensor:
        """The merged value."""

    @abstractmethod
    def without_branch(self, x: Tensor, shortcut: Tensor) -> Tensor:
        """The merged value of a unit whose branch is zero (dropped, or cut out in a lesion study)."""


class Sum(Merge):
    """A merge to which the branch adds: ``without_branch(x, shortcut) + contribution(x, shortcut, branch)``.

    The contribution is linear in the branch, and has the shape of the sum.
    """

    keeps_shortcut = False  # whether, without its branch, the value is the shortcut as it is

    @abstractmethod
    def contribution(self, x: Tensor, shortcut: Tensor, branch: Tensor) -> Tensor:
        """What the branch adds."""


class Add(Sum):
    """``shortcut + branch`` (He et al. 2015, eq. 1)."""

    keeps_shortcut = True

    def forward(self, x: Tensor, shortcut: Tensor, branch: Tensor) -> Tensor:  # noqa: D102
        return shortcut + branch

    def contribution(self, x: Tensor, shortcut: Tensor, branch: Tensor) -> Tensor:  # noqa: D102
        return branch

    def without_branch(self, x: Tensor, shortcut: Tensor) -> Tensor:  # noqa: D102
        return shortcut


class BranchOnly(Merge):
    """The branch alone: a plain unit, of the same class and with the same taps as a residual one."""

    def forward(self, x: Tensor, shortcut: Tensor, branch: Tensor) -> Tensor:  # noqa: D102
        return branch

    def without_branch(self, x: Tensor, shortcut: Tensor) -> Tensor:
        """Bypass the layer (Veit et al. 2016, sec. 4.1): zeroing a plain layer would cut the network in two."""
        return shortcut


class Concat(Merge):
    """Shortcut and branch side by side (Huang et al. 2017, eq. 2): ``(N, C, ...)`` and ``(N, channels, ...)``.

    A unit without its branch keeps its shape, for the next one counts on it: its ``channels`` new features are zero.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor, shortcut: Tensor, branch: Tensor) -> Tensor:  # noqa: D102
        return torch.cat((shortcut, branch), 1)

    def without_branch(self, x: Tensor, shortcut: Tensor) -> Tensor:  # noqa: D102
        # of a channel, repeated: the number of dimensions is not known where a graph is recorded
        zeros = torch.zeros_like(shortcut[:, :1]).repeat_interleave(self.channels, 1)
        return torch.cat((shortcut, zeros), 1)

    def extra_repr(self) -> str:  # noqa: D102
        return f"channels={self.channels}"
