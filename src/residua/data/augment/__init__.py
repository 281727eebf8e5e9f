"""Augmentations: one file each, a frozen spec beside what it does to a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from residua.errors import UsageError
from residua.spec import Recipe

if TYPE_CHECKING:
    from torch import Tensor

    # images, targets, seed, step -> images, targets; what ``Augmentation.build`` makes
    Augment = Callable[[Tensor, Tensor, int, int], tuple[Tensor, Tensor]]


def refuse_augmentation(recipe: Recipe, data: str) -> None:
    """Raise UsageError if a recipe augments what has no images with classes; habits of data, the default, are none."""
    for augmentation in recipe.augmentation:
        if augmentation not in Recipe().augmentation:
            raise UsageError(
                f"{augmentation.title()} is for images with classes, not for {data}: leave it out"
            )
