"""Small images first (progressive resizing; Howard 2018, Touvron et al. 2019, arXiv 1906.06423): cheaper steps.

Evaluation always sees whole images at their full size. Networks do better a little above the size that they trained
at (Touvron et al. 2019, FixRes), which ``largest`` below 1 leaves room for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from residua.data.batches.keyed import generator
from residua.errors import UsageError
from residua.parts import register
from residua.spec import Resolution, positive

if TYPE_CHECKING:
    from torch import Tensor


@register
@dataclass(frozen=True, kw_only=True)
class Progressive(Resolution):
    """Sides are ``smallest`` of the full ones until ``begin`` of the training, and ``largest`` from ``end`` on.

    Between them they grow on a line, in multiples of ``multiple`` pixels: each size costs a compiled step its own
    compilation.
    """

    kind: ClassVar[str] = "progressive"

    smallest: float = 0.75
    largest: float = 1.0
    begin: float = 0.0
    end: float = 0.75
    multiple: int = 4
    by: Literal["resize", "crop"] = (
        "resize"  # crop: a window of the image, which lies elsewhere in each batch
    )

    def validate(self) -> None:  # noqa: D102
        positive(self, "multiple")
        for low, high in (("smallest", "largest"), ("begin", "end")):
            one, other = getattr(self, low), getattr(self, high)
            if not 0 <= one <= other <= 1 or (low == "smallest" and not one):
                raise UsageError(
                    f"{self.title()}: {low} and {high} must rise within (0, 1], not {one} and {other}"
                )

    def side(self, progress: float, full: int) -> int:  # noqa: D102
        grown = (progress - self.begin) / (self.end - self.begin) if self.end > self.begin else 1.0
        way = 0.0 if progress < self.begin else min(grown, 1.0)
        wanted = full * (self.smallest + (self.largest - self.smallest) * way)
        return min(max(round(wanted / self.multiple), 1) * self.multiple, full)

    def build(self, data: Any, total_steps: int) -> Any:  # noqa: D102
        def shown(images: Tensor, key: Any) -> Tensor:
            height, width = (self.side(key.step / total_steps, side) for side in images.shape[-2:])
            if (height, width) == images.shape[-2:]:
                return images
            if self.by == "resize":
                return resized(images, height, width)
            room = images.shape[-2] - height, images.shape[-1] - width
            top, left = generator(key.seed, "window", key.step).integers(0, [side + 1 for side in room])
            return images[..., top : top + height, left : left + width]

        return shown


def resized(images: Tensor, height: int, width: int) -> Tensor:
    """Images (B, C, ..., H, W) of floating point at another size: linear between pixels, smoothed where they shrink."""
    from torch.nn.functional import interpolate

    slices = images.flatten(1, -3)
    made = interpolate(slices, (height, width), mode="bilinear", antialias=True)
    return made.unflatten(1, images.shape[1:-2])
