"""Crops of padded images (He et al. 2015, sec. 4.2): each image is shifted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from residua.data.augment import of_images
from residua.data.batches.keyed import generator
from residua.errors import UsageError
from residua.parts import register
from residua.spec import Augmentation

if TYPE_CHECKING:
    from torch import Tensor

    from residua.data.augment import Augment
    from residua.data.batches.geometry import Padding


@register
@dataclass(frozen=True, kw_only=True)
class Crop(Augmentation):
    """Shifted by up to ``pad`` pixels down and across; what comes in from outside is ``padding``."""

    kind: ClassVar[str] = "crop"
    pad: int | None = None  # pixels; None: the data's own habit
    # zeros (He et al. 2015), the border's pixels, or the image mirrored at its border (Jordan 2024, sec. 3.1)
    padding: Literal["zeros", "edge", "reflect"] = "zeros"

    def validate(self) -> None:  # noqa: D102
        if self.pad is not None and self.pad < 0:
            raise UsageError(f"{self.title()}.pad cannot be negative, not {self.pad}")

    def build(self, data: Any) -> Augment:  # noqa: D102
        of_images(self, data)
        pad, height, width = data.pad if self.pad is None else self.pad, *data.shape[-2:]
        if pad > min(height, width):
            raise UsageError(f"{self.title()}.pad is {pad}, more than images of {width} x {height} px have")
        return lambda images, targets, key: (
            crop(images, pad=pad, padding=self.padding, seed=key.seed, step=key.step),
            targets,
        )


def crop(images: Tensor, *, pad: int, padding: Padding = "zeros", seed: int, step: int) -> Tensor:
    """Images (B, C, ..., H, W) of any type, each shifted by -``pad`` to ``pad`` pixels down and across."""
    from residua.data.batches.geometry import cropped

    if not pad:
        return images
    begin = generator(seed, "crop", step).integers(0, 2 * pad + 1, (2, len(images)))
    return cropped(images, begin, pad=pad, padding=padding)
