"""Several streams between the units of a network, where a ResNet has one.

They are stacked along the batch, those of a sample side by side: ``(N n, ...)``. So whatever acts on a batch (a
shortcut, an activation, a downsampling) acts on each of them, and only the merge of a unit knows how many there are
(``Merge.streams``): it says what the branch sees of them, and joins it to them.
"""

from __future__ import annotations

from torch import Tensor, nn


class CopyStreams(nn.Module):
    """``(N, ...)`` to ``(N n, ...)``: n equal streams (Zhu et al. 2024, sec. 2)."""

    def __init__(self, streams: int) -> None:
        super().__init__()
        self.streams = streams

    def forward(self, x: Tensor) -> Tensor:
        """Repeat."""
        return x.repeat_interleave(self.streams, 0)

    def extra_repr(self) -> str:  # noqa: D102
        return f"streams={self.streams}"


class MeanStreams(nn.Module):
    """``(N n, ...)`` to ``(N, ...)``: their mean.

    Zhu et al. 2024 (sec. 2.1) take the sum: the same before a norm, and a network that ends without one starts with the
    mean as the network of one stream.
    """

    def __init__(self, streams: int) -> None:
        super().__init__()
        self.streams = streams

    def forward(self, x: Tensor) -> Tensor:
        """Average."""
        return x.unflatten(0, (-1, self.streams)).mean(1)

    def extra_repr(self) -> str:  # noqa: D102
        return f"streams={self.streams}"


class SplitChannels(nn.Module):
    """``(N, 2 C, ...)`` to ``(2 N, C, ...)``: each half of the channels is a stream (Gomez et al. 2017, sec. 3.1)."""

    def forward(self, x: Tensor) -> Tensor:
        """Split."""
        return x.unflatten(1, (2, -1)).flatten(0, 1)


class JoinChannels(nn.Module):
    """``(2 N, C, ...)`` to ``(N, 2 C, ...)``: what ``SplitChannels`` split."""

    def forward(self, x: Tensor) -> Tensor:
        """Join."""
        return x.unflatten(0, (-1, 2)).flatten(1, 2)
