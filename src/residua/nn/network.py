"""An image classifier: stem, stages, an optional tail, head; with the feature interface that timm users know."""

from __future__ import annotations

import warnings
from typing import Any

from torch import Tensor, nn

from residua.errors import UsageError
from residua.nn.head import PoolHead, fully_connected
from residua.nn.residual import Chain


class ImageClassifier(nn.Module):
    """``head(tail(stages(stem(x))))``.

    Args:
        stem: gives the first maps; ``stem_reduction`` is how much smaller than the input they are.
        stages: one Chain of units each; ``widths`` their output channels, ``strides`` their strides.
        tail: what pre-activation nets need after the last sum (norm and activation); identity by default.
        head: makes logits of the last maps; global average pooling and one fully connected layer by default.
        spec: kept as ``model.spec``, so that a model can be saved, described and built again.
        dims: 2 for images, 3 for volumes and clips ``(N, in_channels, D, H, W)``.

    Shapes: images ``(N, in_channels, H, W)`` to logits ``(N, num_classes)``. Raises UsageError (a ValueError) for a
    wrong number of dimensions or channels, and for images smaller than the total reduction.

    """

    def __init__(
        self,
        *,
        spec: Any,
        stem: nn.Module,
        stem_reduction: int,
        stages: list[Chain],
        widths: tuple[int, ...],
        strides: tuple[int, ...],
        tail: nn.Module | None = None,
        head: PoolHead | None = None,
        dims: int = 2,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.stem = stem
        self.stages = Chain(*stages)
        self.tail = nn.Identity() if tail is None else tail
        self.head = PoolHead(widths[-1], spec.num_classes) if head is None else head
        self.num_features = self.head.num_features
        self.feature_info: list[dict[str, Any]] = []
        reduction = stem_reduction
        for index, (width, stride) in enumerate(zip(widths, strides, strict=True)):
            reduction *= stride
            self.feature_info.append({"num_chs": width, "reduction": reduction, "module": f"stages.{index}"})
        self.reduction = reduction
        self.dims = dims
        self._pools = stem_reduction > 2  # 2 is a stride alone
        self._warned = False

    def forward_features(self, x: Tensor) -> Tensor:
        """The last maps, ``(N, widths[-1], H / reduction, W / reduction)``."""
        self._check(x)
        return self.tail(self.stages(self.stem(x)))

    def forward_head(self, features: Tensor, *, pre_logits: bool = False) -> Tensor:
        """Logits ``(N, num_classes)`` of the last maps, or with ``pre_logits`` the pooled ``(N, num_features)``."""
        return self.head.pool(features) if pre_logits else self.head(features)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of images."""
        return self.forward_head(self.forward_features(x))

    def reset_classifier(self, num_classes: int) -> None:
        """Put a fresh fully connected layer in place; 0 leaves it out. Device and dtype stay."""
        if num_classes < 0:
            raise UsageError(f"num_classes cannot be negative, got {num_classes}")
        weight = next(self.parameters())
        self.head.fc = fully_connected(self.num_features, num_classes).to(weight.device, weight.dtype)
        self.spec = self.spec.change(num_classes=num_classes)

    def _check(self, x: Tensor) -> None:
        if x.ndim != self.dims + 2:
            wanted = {2: "images must be (N, C, H, W)", 3: "volumes must be (N, C, D, H, W)"}[self.dims]
            raise UsageError(f"{wanted}, got {x.ndim} dimensions: {tuple(x.shape)}")
        if x.shape[1] != self.spec.in_channels:
            raise UsageError(
                f"{self.spec.name} takes {self.spec.in_channels} channels, got {x.shape[1]}; "
                f"build it with in_channels={x.shape[1]} or convert the images"
            )
        height, width = x.shape[-2:]  # a clip may be as short as it likes: padding keeps its last frame
        side = min(height, width)
        if side < self.reduction:
            advice = "; stem='cifar' keeps small images whole" if self._pools else ""
            raise UsageError(
                f"{self.spec.name} reduces images {self.reduction}-fold and needs at least "
                f"{self.reduction} px, got {height}x{width}{advice}"
            )
        if self._pools and side <= self.reduction and not self._warned:
            self._warned = True
            warnings.warn(
                f"{height}x{width} images reach the last stage of {self.spec.name} as a single pixel: "
                "its stem (7x7/2 and pool) is made for 224 px; stem='cifar' suits small images",
                stacklevel=4,
            )
