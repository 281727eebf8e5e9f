"""Squeeze-and-excitation (Hu et al. 2018)."""

from __future__ import annotations

from torch import Tensor, nn


class SqueezeExcite(nn.Module):
    """Scale each channel by a gate of the means of all (Hu et al. 2018, sec. 3); ``(N, C, H, W)`` in and out.

    The gate has ``channels / reduction`` hidden channels, rounded to a multiple of eight as in timm, eight at least.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(8, int(channels / reduction + 4) // 8 * 8)
        self.fc1 = nn.Conv2d(channels, hidden, 1)
        self.act = nn.ReLU()
        self.fc2 = nn.Conv2d(hidden, channels, 1)
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Squeeze, excite, scale."""
        squeezed = x.mean((2, 3), keepdim=True)  # (N, C, 1, 1)
        return x * self.gate(self.fc2(self.act(self.fc1(squeezed))))
