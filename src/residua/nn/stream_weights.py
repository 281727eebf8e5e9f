"""The weights of hyper-connections: static, dynamic (Zhu et al. 2024), or constrained as in mHC (Xie et al. 2025)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class StreamWeights(nn.Module):
    """``static + scale * act(rms_norm(h) @ dynamic)``: k weights of each stream h (Zhu et al. 2024, sec. 2.2).

    Streams ``(N, ..., n, C)`` to ``(N, ..., n, k)``, for a ``static`` of ``(n, k)``, which is all there is without
    ``channels``. The norm has no gains: they would be factors of ``dynamic``.
    """

    def __init__(self, static: Tensor, channels: int | None, act: nn.Module | None = None) -> None:
        super().__init__()
        self.static = nn.Parameter(static)
        if channels is not None:
            self.dynamic = nn.Parameter(torch.zeros(channels, static.shape[1]))
            self.scale = nn.Parameter(torch.tensor(0.01))
        self.channels = channels
        self.act = nn.Identity() if act is None else act

    def forward(self, streams: Tensor) -> Tensor:
        """The weights of these streams."""
        if self.channels is None:
            return self.static
        normed = F.normalize(streams, dim=-1) * self.channels**0.5
        return self.static + self.scale * self.act(normed @ self.dynamic)


class DoublyStochastic(nn.Module):
    """Logits ``(..., n, n)`` to a positive matrix whose rows and columns sum to 1 (Sinkhorn & Knopp 1967).

    The last of the ``iterations`` leaves the rows exact, the columns nearly so: mHC takes 20.
    """

    def __init__(self, iterations: int = 20) -> None:
        super().__init__()
        self.iterations = iterations

    def forward(self, logits: Tensor) -> Tensor:
        """Normalise columns and rows in turn, as logarithms, of which none overflows."""
        for _ in range(self.iterations):
            logits = logits.log_softmax(-2).log_softmax(-1)
        return logits.exp()


class TwiceSigmoid(nn.Module):
    """``2 sigmoid(x)``: in (0, 2), and 1 where x is 0."""

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return 2 * torch.sigmoid(x)


def stream_weights(
    kind: Literal["static", "dynamic", "constrained"],
    streams: int,
    channels: int,
    out_channels: int | None = None,
    *,
    first: int = 0,
) -> dict[str, nn.Module]:
    """``read``, ``mix`` and ``write`` of a ``HyperConnection`` whose shortcuts give ``out_channels``.

    They start as in Zhu et al. 2024 (sec. 2): the branch reads stream ``first``, every stream keeps its own value and
    gets the branch. The constrained ones start there too, before their limits.
    """
    act = nn.Tanh() if kind == "dynamic" else None
    limits = {"read": nn.Sigmoid(), "mix": DoublyStochastic(), "write": TwiceSigmoid()}
    widths = {"read": channels, "mix": out_channels or channels, "write": out_channels or channels}
    eye = torch.eye(streams)
    starts = {"read": eye[:, [first % streams]], "mix": eye, "write": torch.ones(streams, 1)}
    weights: dict[str, nn.Module] = {
        name: StreamWeights(start, None if kind == "static" else widths[name], act)
        for name, start in starts.items()
    }
    if kind == "constrained":
        weights = {name: nn.Sequential(module, limits[name]) for name, module in weights.items()}
    return weights
