"""Augmentations: one file each, a frozen spec beside what it does to a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from residua.errors import UsageError
from residua.spec import Augmentation, Recipe

if TYPE_CHECKING:
    from torch import Tensor

    from residua.data.batches.keyed import BatchKey

    # images, targets, key -> images, targets; what ``Augmentation.build`` makes
    Augment = Callable[[Tensor, Tensor, BatchKey], tuple[Tensor, Tensor]]


def of_images(part: Augmentation, data: Any) -> None:
    """Raise UsageError unless the data are images, clips or volumes: the rows of a table have no sides."""
    if len(data.shape) < 3:
        raise UsageError(
            f"{part.title()} is for images, not for rows of {data.shape[0]} columns: leave it out"
        )


def of_pixels(part: Augmentation, data: Any) -> None:
    """Raise UsageError unless the data are grey or colour images: clips and volumes have no colours to change."""
    if len(data.shape) != 3 or data.shape[0] not in (1, 3):
        shape = " x ".join(map(str, data.shape))
        raise UsageError(
            f"{part.title()} is for grey or colour images, not for data of {shape}: leave it out"
        )


def as_shares(targets: Tensor, classes: int) -> Tensor:
    """Classes, int64 (B,), as the share of each class, float32 (B, classes); what are shares already stays."""
    from torch.nn.functional import one_hot

    return one_hot(targets, classes).float() if targets.ndim == 1 else targets


def refuse_augmentation(recipe: Recipe, data: str) -> None:
    """Raise UsageError if a recipe augments what has no images with classes; habits of data, the default, are none."""
    for augmentation in recipe.augmentation:
        if augmentation not in Recipe().augmentation:
            raise UsageError(
                f"{augmentation.title()} is for images with classes, not for {data}: leave it out"
            )
    if recipe.resolution is not None:
        raise UsageError(
            f"{recipe.resolution.title()} is for images with classes, not for {data}: leave it out"
        )
