"""The branch behind a learned scale that starts at or near zero: a deep network then starts as its shortcuts."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from residua.nn.merge import Sum


class ScaledBranch(Sum):
    """``shortcut + gain * branch`` with a learned ``gain`` that starts at ``start``.

    One number that starts at 0 is SkipInit (De & Smith 2020) and ReZero (Bachlechner et al. 2020); one
    for each of ``channels`` is LayerScale (Touvron et al. 2021, *CaiT*). ``axis`` is where channels stand: 1 in
    maps ``(N, C, ...)``, -1 at positions ``(N, L, C)``.
    """

    keeps_shortcut = True

    def __init__(self, channels: int | None = None, *, start: float = 0.0, axis: int = 1) -> None:
        super().__init__()
        self.channels = channels
        self.axis = axis
        self.gain = nn.Parameter(torch.full(() if channels is None else (channels,), start))

    def forward(self, x: Tensor, shortcut: Tensor, branch: Tensor) -> Tensor:  # noqa: D102
        return shortcut + self.contribution(x, shortcut, branch)

    def contribution(self, x: Tensor, shortcut: Tensor, branch: Tensor) -> Tensor:  # noqa: D102
        return (self.gain * branch.movedim(self.axis, -1)).movedim(-1, self.axis)

    def without_branch(self, x: Tensor, shortcut: Tensor) -> Tensor:  # noqa: D102
        return shortcut

    def extra_repr(self) -> str:  # noqa: D102
        return "one number" if self.channels is None else f"channels={self.channels}"
