"""``moving-digits``: clips of the shipped real digits, each moving in one of eight directions, which is its class.

The frame's edges are joined, so that a digit that leaves comes in again on the other side, and it starts anywhere:
no single frame tells where it goes, only its motion does. Everything is a function of the shipped pixels; the seed of
the training has no part in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from residua.data.batches.keyed import generator
from residua.data.sources.digits import Digits
from residua.errors import UsageError
from residua.parts import register
from residua.spec import DataSource, DataSpec

FRAMES = 8
SIDES = (16, 64)  # pixels of a frame: twice a digit and more
CLIPS = 2  # of each digit
# name: pixels down and across, times the speed
DIRECTIONS = {
    "north": (-1, 0),
    "north-east": (-1, 1),
    "east": (0, 1),
    "south-east": (1, 1),
    "south": (1, 0),
    "south-west": (1, -1),
    "west": (0, -1),
    "north-west": (-1, -1),
}
SPEEDS = (1, 2)  # pixels a frame


@register
@dataclass(frozen=True, kw_only=True)
class MovingDigits(DataSource):
    """Clips uint8 (1, 8, side, side); ``image_size`` is the side, 16 by default.

    Test clips are of the test digits, which no training clip shows.
    """

    kind: ClassVar[str] = "moving-digits"

    def load(self, spec: DataSpec, *, threads: int = 0, storage: str | None = None) -> Any:  # noqa: D102
        import torch

        from residua.data.arrays import array_data

        side = spec.image_size or SIDES[0]
        if not SIDES[0] <= side <= SIDES[1]:
            raise UsageError(f"moving-digits has frames of {SIDES[0]} to {SIDES[1]} px, not {side}")
        digits = Digits().load(DataSpec(val_fraction=0))
        (train, _), (test, _) = (part.read(np.arange(len(part))) for part in (digits.train, digits.test))
        pixels = torch.cat([train, test])[:, 0].repeat_interleave(CLIPS, 0).numpy()  # (N, 8, 8)
        count, random = len(pixels), generator(0, "moving digits", side)
        labels = random.permutation(np.arange(count) % len(DIRECTIONS))
        clips = moving(
            pixels,
            side=side,
            start=random.integers(0, side, (count, 2)),
            step=np.array(list(DIRECTIONS.values()))[labels] * random.choice(SPEEDS, (count, 1)),
        )
        split = len(train) * CLIPS
        return array_data(  # neither shifted nor mirrored: clips start everywhere, and a mirrored one goes elsewhere
            spec,
            classes=tuple(DIRECTIONS),
            images=torch.from_numpy(clips)[:, None],
            labels=labels,
            train=np.arange(split),
            test=np.arange(split, count),
            test_is="clips of the fixed stratified fifth of the digits that the package ships",
        )


def moving(pixels: np.ndarray, *, side: int, start: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Clips (N, FRAMES, side, side) of images (N, h, w) that are at ``start`` (N, 2) and move by ``step`` a frame."""
    count, height, width = pixels.shape
    canvas = np.zeros((count, side, side), np.uint8)
    canvas[:, :height, :width] = pixels
    places = np.arange(side)
    clips = np.empty((count, FRAMES, side, side), np.uint8)
    for frame in range(FRAMES):
        top, left = (start + frame * step).T[..., None]  # (N, 1) each
        rows, columns = (places - top) % side, (places - left) % side
        clips[:, frame] = canvas[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return clips
