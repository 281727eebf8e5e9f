"""Colour jitter: brightness, contrast, saturation and hue changed at random, in any order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from residua.data.augment import of_pixels
from residua.data.batches.keyed import generator
from residua.errors import UsageError
from residua.parts import register
from residua.spec import Augmentation

if TYPE_CHECKING:
    from torch import Tensor

    from residua.data.augment import Augment

MOST = 255  # a factor beyond it makes all that is not black white


@register
@dataclass(frozen=True, kw_only=True)
class ColorJitter(Augmentation):
    """Factors within ``1 - b`` and ``1 + b``, the hue turned by up to ``hue`` of the circle; timm's defaults."""

    kind: ClassVar[str] = "color_jitter"
    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.0

    def validate(self) -> None:  # noqa: D102
        for name in self.fields():
            most = 0.5 if name == "hue" else MOST
            if not 0 <= getattr(self, name) <= most:
                raise UsageError(f"{self.title()}.{name} must be in [0, {most:g}], not {getattr(self, name)}")

    def build(self, data: Any) -> Augment:  # noqa: D102
        of_pixels(self, data)
        spreads = {"brightness": self.brightness, "contrast": self.contrast, "color": self.saturation}
        ranges = {name: (max(0.0, 1 - spread), 1 + spread) for name, spread in spreads.items() if spread}
        if self.hue:
            ranges["hue"] = (-self.hue, self.hue)
        return lambda images, targets, key: (
            color_jitter(images, ranges, seed=key.seed, step=key.step),
            targets,
        )


def color_jitter(images: Tensor, ranges: dict[str, tuple[float, float]], *, seed: int, step: int) -> Tensor:
    """Images uint8 (B, C, H, W), grey or RGB, each changed by every operation of ``ranges`` in an order of its own.

    ``ranges`` are the least and the most amount of operations of ``residua.data.batches.operations``.
    """
    from residua.data.batches.operations import applied

    names, count = tuple(ranges), len(images)
    random = generator(seed, "color jitter", step)
    least, most = np.array(list(ranges.values())).reshape(-1, 2).T
    amounts = random.uniform(least, most, (count, len(names)))
    orders = random.permuted(np.tile(np.arange(len(names)), (count, 1)), axis=1)
    for which in orders.T:
        images = applied(images, names, which, amounts[np.arange(count), which])
    return images
