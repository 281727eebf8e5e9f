"""A random part of each image, enlarged to the whole (Szegedy et al. 2014, sec. 6): the usual crop of ImageNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from residua.data.augment import of_images
from residua.data.batches.keyed import generator
from residua.data.random_part import AREA, ASPECT, Range, random_part
from residua.parts import register
from residua.spec import Augmentation, rising

if TYPE_CHECKING:
    from torch import Tensor

    from residua.data.augment import Augment


@register
@dataclass(frozen=True, kw_only=True)
class RandomResizedCrop(Augmentation):
    """So much of the ``area`` at such an ``aspect``; images that stream are cropped so when they are decoded."""

    kind: ClassVar[str] = "random_resized_crop"
    area: tuple[float, float] = AREA  # from, to
    aspect: tuple[float, float] = ASPECT  # width by height

    def validate(self) -> None:  # noqa: D102
        rising(self, "area", most=1)
        rising(self, "aspect")

    def build(self, data: Any) -> Augment:  # noqa: D102
        from residua.data.splits import StreamingSplit

        of_images(self, data)
        if isinstance(data.train, StreamingSplit):  # TrainBatches has passed the options on
            return lambda images, targets, key: (images, targets)
        return lambda images, targets, key: (
            random_resized_crop(images, area=self.area, aspect=self.aspect, seed=key.seed, step=key.step),
            targets,
        )


def random_resized_crop(images: Tensor, *, area: Range, aspect: Range, seed: int, step: int) -> Tensor:
    """Images (B, C, ..., H, W) of any type, a part of each resized to (H, W), bilinear; all slices of a clip alike."""
    from residua.data.batches.geometry import resized_parts

    height, width = images.shape[-2:]
    random = generator(seed, "random resized crop", step)
    boxes = [random_part(width, height, random, area, aspect) for _ in range(len(images))]
    return resized_parts(images, np.array(boxes))
