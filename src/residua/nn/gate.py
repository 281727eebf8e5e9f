"""Merges that impede the shortcut (He et al. 2016, Figure 2 b to d): scaled by a constant, or gated by the input.

They exist to be measured beside the clean sum: the paper's point is that nothing should stand on the shortcut.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from residua.nn.merge import Sum


class ConstantScaling(Sum):
    """``shortcut_scale * shortcut + branch_scale * branch`` (He et al. 2016, sec. 3.1, "constant scaling")."""

    def __init__(self, shortcut_scale: float = 0.5, branch_scale: float = 0.5) -> None:
        super().__init__()
        self.shortcut_scale = shortcut_scale
        self.branch_scale = branch_scale

    def forward(self, x: Tensor, shortcut: Tensor, branch: Tensor) -> Tensor:  # noqa: D102
        return self.shortcut_scale * shortcut + self.branch_scale * branch

    def contribution(self, x: Tensor, shortcut: Tensor, branch: Tensor) -> Tensor:  # noqa: D102
        return self.branch_scale * branch

    def without_branch(self, x: Tensor, shortcut: Tensor) -> Tensor:  # noqa: D102
        return self.shortcut_scale * shortcut

    def extra_repr(self) -> str:  # noqa: D102
        return f"shortcut_scale={self.shortcut_scale:g}, branch_scale={self.branch_scale:g}"


class Gate(nn.Module):
    """``g(x) = sigmoid(W x + b)``, one gate a pixel and channel, W a 1x1 convolution (He et al. 2016, sec. 3.1).

    ``bias`` is where b starts; it decides everything: at -6 the gate is nearly closed and the shortcut open. Gates of
    units that change the map's size are strided as their shortcut is.
    Shapes: ``(N, C, H, W)`` to ``(N, C', ceil(H / stride), ceil(W / stride))``, in (0, 1).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, *, bias: float = -6.0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
        # not the convolution's own: the initialisation of a network sets every convolution's bias to zero
        self.bias = nn.Parameter(torch.full((out_channels,), bias))

    def forward(self, x: Tensor) -> Tensor:
        """The gates of ``x``."""
        return torch.sigmoid(self.conv(x) + self.bias[:, None, None])


class ExclusiveGating(Sum):
    """``(1 - g(x)) * shortcut + g(x) * branch``, as in highway networks (He et al. 2016, Figure 2c)."""

    def __init__(self, gate: nn.Module) -> None:
        super().__init__()
        self.gate = gate

    def forward(self, x: Tensor, shortcut: Tensor, branch: Tensor) -> Tensor:  # noqa: D102
        gate = self.gate(x)
        return (1 - gate) * shortcut + gate * branch

    def contribution(self, x: Tensor, shortcut: Tensor, branch: Tensor) -> Tensor:  # noqa: D102
        return self.gate(x) * branch

    def without_branch(self, x: Tensor, shortcut: Tensor) -> Tensor:  # noqa: D102
        return (1 - self.gate(x)) * shortcut


class ShortcutOnlyGating(Sum):
    """``(1 - g(x)) * shortcut + branch`` (He et al. 2016, Figure 2d)."""

    def __init__(self, gate: nn.Module) -> None:
        super().__init__()
        self.gate = gate

    def forward(self, x: Tensor, shortcut: Tensor, branch: Tensor) -> Tensor:  # noqa: D102
        return (1 - self.gate(x)) * shortcut + branch

    def contribution(self, x: Tensor, shortcut: Tensor, branch: Tensor) -> Tensor:  # noqa: D102
        return branch

    def without_branch(self, x: Tensor, shortcut: Tensor) -> Tensor:  # noqa: D102
        return (1 - self.gate(x)) * shortcut
