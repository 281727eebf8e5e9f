"""Split attention (Zhang et al. 2020, *ResNeSt*, sec. 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from residua.errors import UsageError
from residua.nn.recording import recorded


class SplitAttention(nn.Module):
    """A 3x3 convolution into ``radix`` splits of every cardinal group, and their sum weighted by attention.

    Attention is a softmax over the splits, for every channel and image, computed from the splits' pooled sum; a
    single split gets a sigmoid gate: squeeze-and-excitation (sec. 3.1, "relation to existing attention methods").

    Args:
        in_channels: of the input; the output has ``channels``.
        channels: a multiple of ``cardinality``; ``channels * radix`` maps are computed.
        radix: splits of a cardinal group (R).
        cardinality: cardinal groups (K).
        stride: of the convolution.

    Shapes: ``(N, in_channels, H, W)`` to ``(N, channels, ceil(H / stride), ceil(W / stride))``. Training needs two
    images: the attention's norm stands after the pooling (UsageError for one).

    """

    def __init__(
        self, in_channels: int, channels: int, *, radix: int = 2, cardinality: int = 1, stride: int = 1
    ) -> None:
        super().__init__()
        self.radix = radix
        self.cardinality = cardinality
        # the reference implementation's width: a reduction by 4 of all splits, at least 32; whole cardinal groups
        hidden = max(in_channels * radix // 4, 32)
        hidden += -hidden % cardinality
        splits = channels * radix
        self.conv = nn.Conv2d(
            in_channels, splits, 3, stride, padding=1, groups=cardinality * radix, bias=False
        )
        self.norm1 = nn.BatchNorm2d(splits)
        self.act1 = nn.ReLU()
        self.fc1 = nn.Conv2d(channels, hidden, 1, groups=cardinality)
        self.norm2 = nn.BatchNorm2d(hidden)
        self.act2 = nn.ReLU()
        self.fc2 = nn.Conv2d(hidden, splits, 1, groups=cardinality)

    def forward(self, x: Tensor) -> Tensor:
        """Split, weigh, sum."""
        if self.training and not recorded(x) and x.shape[0] == 1:
            raise UsageError("split attention normalises over the batch: training needs at least two images")
        splits = self.act1(self.norm1(self.conv(x)))  # (N, R K c, H, W), split by split
        n, _, height, width = splits.shape
        splits = splits.reshape(n, self.radix, -1, height, width)  # (N, R, C, H, W)
        pooled = splits.sum(1).mean((2, 3), keepdim=True)  # (N, C, 1, 1): all splits see their sum
        scores = self.fc2(self.act2(self.norm2(self.fc1(pooled))))  # (N, K R c, 1, 1), group by group
        return (splits * self.attention(scores)).sum(1)

    def attention(self, scores: Tensor) -> Tensor:
        """``(N, K R c, 1, 1)`` scores, group by group, to ``(N, R, K c, 1, 1)`` weights, split by split."""
        grouped = scores.reshape(scores.shape[0], self.cardinality, self.radix, -1)  # (N, K, R, c)
        weights = torch.sigmoid(grouped) if self.radix == 1 else torch.softmax(grouped, 2)
        return weights.transpose(1, 2).flatten(2)[..., None, None]

    def extra_repr(self) -> str:  # noqa: D102
        return f"radix={self.radix}, cardinality={self.cardinality}"
