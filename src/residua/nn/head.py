"""What stands after the last stage."""

from __future__ import annotations

from torch import Tensor, nn


class PoolHead(nn.Module):
    """Global average pooling and one fully connected layer (He et al. 2015, Table 1).

    ``num_classes=0`` leaves the layer out: the head then gives the pooled features.
    Shapes: ``(N, C, H, W)`` to ``(N, num_classes)``.
    """

    def __init__(self, num_features: int, num_classes: int) -> None:
        super().__init__()
        self.fc = nn.Linear(num_features, num_classes) if num_classes else nn.Identity()

    def pool(self, features: Tensor) -> Tensor:
        """``(N, C, H, W)`` to ``(N, C)``."""
        return features.mean((2, 3))

    def forward(self, features: Tensor) -> Tensor:
        """Logits of feature maps."""
        return self.fc(self.pool(features))
