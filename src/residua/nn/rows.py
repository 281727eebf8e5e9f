"""A network over the rows of a table: every column is a channel, and a row has nothing else."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from residua.errors import UsageError
from residua.nn.conventions import Classifier, Ends
from residua.nn.head import PoolHead
from residua.nn.recording import recorded
from residua.nn.residual import Chain


class RowClassifier(Classifier):
    """``head(tail(stages(stem(x))))`` of rows; the stem is one fully connected layer, the units are the one stage.

    Shapes: rows ``(N, in_channels)`` to logits ``(N, num_classes)``. Raises UsageError (a ValueError) for other inputs.
    """

    def __init__(
        self, *, spec: Any, width: int, units: Chain, tail: nn.Module, ends: Ends | None = None
    ) -> None:
        super().__init__(
            spec=spec,
            stem=nn.Linear(spec.in_channels, width),
            stages=Chain(units),
            tail=tail,
            head=PoolHead(width, spec.num_classes, nn.Identity()),
            ends=ends,
        )

    def forward_features(self, x: Tensor) -> Tensor:
        """What the last fully connected layer sees, ``(N, num_features)``."""
        if not recorded(x) and (x.ndim != 2 or x.shape[1] != self.spec.in_channels):
            raise UsageError(
                f"{self.spec.name} takes rows of {self.spec.in_channels} columns (N, {self.spec.in_channels}), "
                f"got {tuple(x.shape)}"
            )
        return self.tail(self.leave(self.stages(self.enter(self.stem(x)))))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of rows."""
        return self.forward_head(self.forward_features(x))
