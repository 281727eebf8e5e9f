"""A random part of an image: how the usual training crop is drawn, and what random erasing hides."""

from __future__ import annotations

import math

import numpy as np

Box = tuple[int, int, int, int]  # left, top, width, height
Range = tuple[float, float]

AREA: Range = (0.08, 1.0)  # of a training crop, as a share of the image (Szegedy et al. 2014, sec. 6)
ASPECT: Range = (3 / 4, 4 / 3)  # width by height


def random_part(
    width: int, height: int, random: np.random.Generator, area: Range = AREA, aspect: Range = ASPECT
) -> Box:
    """A part as ``drawn_part``, or the largest centred square."""
    side = min(width, height)
    centre = (width - side) // 2, (height - side) // 2, side, side
    return drawn_part(width, height, random, area, aspect) or centre


def drawn_part(
    width: int, height: int, random: np.random.Generator, area: Range, aspect: Range
) -> Box | None:
    """A part anywhere, its share of the area uniform, its aspect ratio log-uniform; None if ten draws do not fit."""
    for _ in range(10):
        pixels = width * height * random.uniform(*area)
        ratio = math.exp(random.uniform(math.log(aspect[0]), math.log(aspect[1])))
        w, h = round(math.sqrt(pixels * ratio)), round(math.sqrt(pixels / ratio))
        if 0 < w <= width and 0 < h <= height:
            return int(random.integers(width - w + 1)), int(random.integers(height - h + 1)), w, h
    return None
