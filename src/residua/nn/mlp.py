"""The position-wise network of a Transformer layer (Vaswani et al. 2017, sec. 3.3), with GELU as in ViT and GPT."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


class Mlp(nn.Sequential):
    """Two fully connected layers around a GELU; ``(..., width)`` in and out."""

    def __init__(self, width: int, hidden: int, *, dropout: float = 0.0) -> None:
        super().__init__(
            OrderedDict(
                fc1=nn.Linear(width, hidden),
                act=nn.GELU(),
                fc2=nn.Linear(hidden, width),
                dropout=nn.Dropout(dropout),
            )
        )
