"""Squeeze-and-excitation (Hu et al. 2018): channels scaled by a gate of all channels' means."""

from __future__ import annotations

from torch import Tensor, nn


class SqueezeExcite(nn.Module):
    """Scale each channel by a gate in (0, 1); ``(N, C, H, W)`` in and out (sec. 3.1 and 3.2).

    The hidden layer has ``channels / reduction`` channels, at least one.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(channels // reduction, 1)
        self.fc1 = nn.Conv2d(channels, hidden, 1)
        self.act = nn.ReLU()
        self.fc2 = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Squeeze, excite, scale."""
        means = x.mean((2, 3), keepdim=True)  # (N, C, 1, 1)
        return x * self.fc2(self.act(self.fc1(means))).sigmoid()


class ChannelGated(nn.Module):
    """A branch of any kind, whose ``channels`` channels are gated at its end (Hu et al. 2018, Figure 3)."""

    def __init__(self, branch: nn.Module, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.branch = branch
        self.gate = SqueezeExcite(channels, reduction)

    def forward(self, x: Tensor) -> Tensor:
        """The gated branch."""
        return self.gate(self.branch(x))
