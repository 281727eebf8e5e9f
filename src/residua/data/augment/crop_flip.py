"""Crops and mirror images of whole batches, on the device where they are, without a loop over images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from residua.data.augment import of_images
from residua.data.batches.keyed import generator
from residua.errors import UsageError
from residua.parts import register
from residua.spec import Augmentation

if TYPE_CHECKING:
    from torch import Tensor

    from residua.data.augment import Augment


@register
@dataclass(frozen=True, kw_only=True)
class CropFlip(Augmentation):
    """Shifted by up to ``pad`` pixels, and mirrored half of the time (He et al. 2015, sec. 4.2)."""

    kind: ClassVar[str] = "crop_flip"
    pad: int | None = None  # crop with this padding, in pixels; None: the data's own habit
    flip: bool | None = None  # mirror half of the images; None: the data's own habit

    def validate(self) -> None:  # noqa: D102
        if self.pad is not None and self.pad < 0:
            raise UsageError(f"{self.title()}.pad cannot be negative, not {self.pad}")

    def build(self, data: Any) -> Augment:  # noqa: D102
        pad = data.pad if self.pad is None else self.pad
        flip = data.flip if self.flip is None else self.flip
        if pad or flip:
            of_images(self, data)
        return lambda images, targets, key: (
            crop_flip(images, pad=pad, flip=flip, seed=key.seed, step=key.step),
            targets,
        )


def crop_flip(images: Tensor, *, pad: int, flip: bool, seed: int, step: int) -> Tensor:
    """Pad with zeros, crop at random to the old size, and mirror every second image (He et al. 2015, sec. 4.2).

    Takes and returns uint8 (B, C, H, W), in channels_last memory. What happens to image i of the batch is a function
    of ``seed``, ``step``, i and B alone. ``pad`` in pixels; 0 leaves out the crop, ``flip=False`` the mirror. Of clips
    and volumes (B, C, D, H, W) all slices move together; of other numbers than uint8, zeros are padded all the same.
    """
    from residua.data.batches.geometry import cropped, mirrored

    if not pad and not flip:
        return images
    random = generator(seed, "crop and flip", step)
    begin, mirror = random.integers(0, 2 * pad + 1, (2, len(images))), random.random(len(images)) < 0.5
    if flip:
        images = mirrored(images, mirror)
    return cropped(images, begin, pad=pad) if pad else images
