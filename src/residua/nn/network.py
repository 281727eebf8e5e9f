"""An image classifier: stem, stages, an optional tail, head; with the feature interface that timm users know."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from residua.errors import UsageError
from residua.nn.conventions import Classifier, Ends, PositionStem
from residua.nn.head import PoolHead
from residua.nn.levels import chosen_levels, run_levels
from residua.nn.recording import recorded
from residua.nn.residual import Chain


class ImageClassifier(Classifier):
    """``head(tail(stages(stem(x))))``.

    Args:
        stem: gives the first maps; ``stem_reduction`` is how much smaller than the input they are.
        stages: one Chain of units each; ``widths`` their output channels, ``strides`` their strides.
        tail: what pre-activation nets need after the last sum (norm and activation); identity by default.
        head: makes logits of the last maps; global average pooling and one fully connected layer by default.
        spec: kept as ``model.spec``, so that a model can be saved, described and built again.
        dims: 2 for images, 3 for volumes and clips ``(N, in_channels, D, H, W)``.
        grid: rows and columns of patches, where the stages give a class token and a position for each patch
            ``(N, 1 + rows * columns, width)``. Each layer is then a level, and the stem checks the images.
        ends: as of a ``Classifier``.

    ``feature_info`` says where features can be taken: of each level its module, channels and reduction.

    Shapes: images ``(N, in_channels, H, W)`` to logits ``(N, num_classes)``. Raises UsageError (a ValueError) for a
    wrong number of dimensions or channels, and for images smaller than the total reduction.

    """

    def __init__(
        self,
        *,
        spec: Any,
        stem: nn.Module,
        stem_reduction: int,
        stages: Sequence[nn.Sequential],
        widths: tuple[int, ...],
        strides: tuple[int, ...],
        tail: nn.Module | None = None,
        head: PoolHead | None = None,
        dims: int = 2,
        grid: tuple[int, int] | None = None,
        ends: Ends | None = None,
    ) -> None:
        head = PoolHead(widths[-1], spec.num_classes) if head is None else head
        super().__init__(spec=spec, stem=stem, stages=Chain(*stages), tail=tail, head=head, ends=ends)
        self.feature_info: list[dict[str, Any]] = []
        reduction = stem_reduction
        for index, (width, stride) in enumerate(zip(widths, strides, strict=True)):
            reduction *= stride
            info = {"num_chs": width, "reduction": reduction, "module": f"stages.{index}"}
            layers = (
                [info]
                if grid is None
                else [
                    {**info, "module": f"stages.{index}.{layer}", "grid": grid}
                    for layer in range(len(list(stages[index].children())))
                ]
            )
            self.feature_info += layers
        self.reduction = reduction
        self.dims = dims
        self._pools = stem_reduction > 2  # 2 is a stride alone
        self._warned = False

    def forward_features(self, x: Tensor) -> Tensor:
        """The last maps, ``(N, widths[-1], H / reduction, W / reduction)``; of patches every position."""
        self._check(x)
        return self.tail(self.leave(self.stages(self.enter(self.stem(x)))))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of images."""
        return self.forward_head(self.forward_features(x))

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | Sequence[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> Any:
        """What ``forward_features`` gives, and a list of the maps of some levels before it, as timm's networks do.

        Args:
            x: images.
            indices: levels by their place in ``feature_info``, negative ones from the end; a number: so many last
                ones; None: all.
            norm: whether the tail (the last norm) is applied: of staged networks to the last level, whose channels
                alone it fits, of patches to each.
            stop_early: compute nothing after the last level asked for, whose output stands for the last features.
            output_fmt: ``"NCHW"``; patches become maps without the class token.
            intermediates_only: return the list alone.

        Raises UsageError for levels that there are not and for another format.

        """
        if output_fmt != "NCHW":
            raise UsageError(f"intermediates are maps: output_fmt must be 'NCHW', not {output_fmt!r}")
        taken = chosen_levels(self.feature_info, indices)
        self._check(x)
        x, maps = run_levels(self, self.feature_info, x, taken=taken, norm=norm, stop_early=stop_early)
        if intermediates_only:
            return maps
        whole = not stop_early or taken[-1] == len(self.feature_info) - 1
        return self.tail(x) if whole else x, maps

    def _check(self, x: Tensor) -> None:
        if recorded(x) or isinstance(self.stem, PositionStem):
            return
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
