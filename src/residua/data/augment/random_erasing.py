"""Random erasing (Zhong et al. 2017, arXiv 1708.04896): a rectangle of some images is hidden."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from residua.data.augment import of_images
from residua.data.batches.keyed import generator
from residua.data.random_part import Range, drawn_part
from residua.parts import register
from residua.spec import Augmentation, probability, rising

if TYPE_CHECKING:
    from torch import Tensor

    from residua.data.augment import Augment


@register
@dataclass(frozen=True, kw_only=True)
class RandomErasing(Augmentation):
    """A rectangle of so much of the area is zero, which is the mean; torchvision's defaults."""

    kind: ClassVar[str] = "random_erasing"
    normalized: ClassVar[bool] = True
    share: float = 0.5  # of the images
    area: tuple[float, float] = (0.02, 0.33)  # from, to; the paper's CIFAR goes up to 0.4
    aspect: tuple[float, float] = (0.3, 3.3)  # width by height

    def validate(self) -> None:  # noqa: D102
        probability(self, "share")
        rising(self, "area", most=1)
        rising(self, "aspect")

    def build(self, data: Any) -> Augment:  # noqa: D102
        of_images(self, data)
        options = {"share": self.share, "area": self.area, "aspect": self.aspect}
        return lambda images, targets, key: (
            random_erasing(images, seed=key.seed, step=key.step, **options),
            targets,
        )


def random_erasing(
    images: Tensor, *, share: float, area: Range, aspect: Range, seed: int, step: int
) -> Tensor:
    """Images (B, C, ..., H, W), some with a rectangle of zeros, the same in all slices of a clip or volume."""
    from residua.data.batches.geometry import hidden

    height, width = images.shape[-2:]
    random = generator(seed, "random erasing", step)
    boxes = np.zeros((len(images), 4), np.int64)
    for i in np.flatnonzero(random.random(len(images)) < share):
        boxes[i] = drawn_part(width, height, random, area, aspect) or 0
    return hidden(images, boxes)
