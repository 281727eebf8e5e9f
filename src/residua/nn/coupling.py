"""The additive coupling of two streams, of which the units of a RevNet are made (Gomez et al. 2017, sec. 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor

from residua.nn.merge import Sum


class Coupled(Sum):
    """The branch reads one of two streams (``nn.streams``) and is added to the other, ``into``.

    ``y1 = x1 + F(x2)`` and ``y2 = x2 + G(y1)`` are two such units, into 0 and into 1. Where the shortcut is the
    identity, what a unit reads is still there behind it: its input follows from its output (``nn.reversible``).
    """

    streams = 2
    keeps_shortcut = True

    def __init__(self, into: int) -> None:
        super().__init__()
        self.into = into

    def read(self, x: Tensor) -> Tensor:  # noqa: D102
        return x.unflatten(0, (-1, 2)).select(1, 1 - self.into)

    def forward(self, x: Tensor, shortcut: Tensor, branch: Tensor) -> Tensor:  # noqa: D102
        kept = shortcut.unflatten(0, (-1, 2))
        return self._pair(kept.select(1, self.into) + branch, kept.select(1, 1 - self.into))

    def contribution(self, x: Tensor, shortcut: Tensor, branch: Tensor) -> Tensor:  # noqa: D102
        return self._pair(branch, torch.zeros_like(branch))

    def without_branch(self, x: Tensor, shortcut: Tensor) -> Tensor:  # noqa: D102
        return shortcut

    def _pair(self, changed: Tensor, kept: Tensor) -> Tensor:
        pair = (kept, changed) if self.into else (changed, kept)
        return torch.stack(pair, 1).flatten(0, 1)

    def extra_repr(self) -> str:  # noqa: D102
        return f"into={self.into}"
