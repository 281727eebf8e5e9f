"""``moving-digits``: clips of the shipped real digits, each moving in one of eight directions, which is its class.

The frame's edges are joined, so that a digit that leaves comes in again on the other side, and it starts anywhere:
no single frame tells where it goes, only its motion does. Everything is a function of the shipped pixels; the seed of
the training has no part in it.
"""

from __future__ import annotations

import numpy as np
import torch

from residua.data.arrays import array_data
from residua.data.batches.keyed import generator
from residua.data.loaded import Data
from residua.data.sources.digits import load_digits
from residua.errors import UsageError
from residua.spec import DataSpec

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


def load_clips(spec: DataSpec, option: str) -> Data:
    """Clips uint8 (1, 8, side, side); ``spec.image_size`` is the side, 16 by default; ``option`` must be empty.

    Test clips are of the test digits, which no training clip shows. Raises UsageError.
    """
    side = spec.image_size or SIDES[0]
    if option or not SIDES[0] <= side <= SIDES[1]:
        raise UsageError(
            f"moving-digits takes no option {option!r}"
            if option
            else f"moving-digits has frames of {SIDES[0]} to {SIDES[1]} px, not {side}"
        )
    digits = load_digits(DataSpec(val_fraction=0), "")
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
    return array_data(
        spec,
        kind="moving-digits",
        path=None,
        classes=tuple(DIRECTIONS),
        images=torch.from_numpy(clips)[:, None],
        labels=labels,
        train=np.arange(split),
        test=np.arange(split, count),
        test_is="clips of the fixed stratified fifth of the digits that the package ships",
        pad=0,  # clips start everywhere already,
        flip=False,  # and a mirrored one goes elsewhere
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
