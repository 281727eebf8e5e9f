"""What stands after the last stage."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn


class GlobalPool(nn.Module):
    """The mean over all pixels: ``(N, C, H, W)``, or ``(N, C, D, H, W)``, to ``(N, C)``."""

    def forward(self, features: Tensor) -> Tensor:
        """Average."""
        return features.flatten(2).mean(2)


class TokenPool(nn.Module):
    """One vector of all positions: the class token, which stands first, or the mean of the others.

    Shapes: ``(N, 1 + L, width)`` to ``(N, width)``.
    """

    def __init__(self, pool: Literal["token", "avg"] = "token") -> None:
        super().__init__()
        self.pool = pool

    def forward(self, features: Tensor) -> Tensor:
        """What the head sees."""
        return features[:, 0] if self.pool == "token" else features[:, 1:].mean(1)

    def extra_repr(self) -> str:  # noqa: D102
        return repr(self.pool)


class PoolHead(nn.Module):
    """Global average pooling and one fully connected layer (He et al. 2015, Table 1).

    ``pool`` is what makes a vector of ``num_features`` out of the maps: ``GlobalPool`` by default; older networks have
    hidden layers or dropout there. ``num_classes=0`` leaves the layer out: the head then gives the pooled features.
    Shapes: ``(N, C, H, W)`` to ``(N, num_classes)``.
    """

    def __init__(self, num_features: int, num_classes: int, pool: nn.Module | None = None) -> None:
        super().__init__()
        self.num_features = num_features
        self.pool = GlobalPool() if pool is None else pool
        self.fc = fully_connected(num_features, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Logits of feature maps."""
        return self.fc(self.pool(features))


def hidden_head(
    channels: int, num_classes: int, size: int = 1, hidden: Sequence[int] = (), dropout: float = 0.0
) -> PoolHead:
    """The head of the networks before ResNets: pooling to ``size`` x ``size`` pixels and hidden layers.

    Dropout follows every hidden layer; where there is none, the pooling.
    """
    parts: OrderedDict[str, nn.Module] = OrderedDict(pool=nn.AdaptiveAvgPool2d(size), flatten=nn.Flatten())
    features = channels * size * size
    for index, width in enumerate(hidden, 1):
        parts[f"fc{index}"] = nn.Linear(features, width)
        parts[f"act{index}"] = nn.ReLU()
        parts[f"dropout{index}"] = nn.Dropout(dropout)
        features = width
    if not hidden:
        parts["dropout"] = nn.Dropout(dropout)
    return PoolHead(features, num_classes, nn.Sequential(parts))


def fully_connected(num_features: int, num_classes: int) -> nn.Module:
    """The last layer, or the identity where there are no classes."""
    return nn.Linear(num_features, num_classes) if num_classes else nn.Identity()
