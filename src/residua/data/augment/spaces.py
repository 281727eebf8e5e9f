"""What RandAugment and TrivialAugment draw from: operations of images, and how far each goes, as torchvision has them.

An operation is named as the function of ``residua.data.batches.operations`` that does it, to whole batches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from residua.errors import UsageError, nearest


class Reach(NamedTuple):
    """The amount of an operation at strength 0, which leaves the image as it is, and at strength 1."""

    weakest: float = 0.0
    strongest: float = 0.0
    signed: bool = False  # whether half of the images go as far the other way


Space = Mapping[str, Reach]


def _space(
    *, shear: float, translate: tuple[str, float], rotate: float, enhance: float, bits: int
) -> dict[str, Reach]:
    """A space of the usual operations; one that has no amount always does the same."""
    moved, far = translate
    return {
        "identity": Reach(),
        "shear_x": Reach(0, shear, signed=True),
        "shear_y": Reach(0, shear, signed=True),
        f"translate_x{moved}": Reach(0, far, signed=True),
        f"translate_y{moved}": Reach(0, far, signed=True),
        "rotate": Reach(0, rotate, signed=True),  # degrees
        "brightness": Reach(1, 1 + enhance, signed=True),
        "color": Reach(1, 1 + enhance, signed=True),
        "contrast": Reach(1, 1 + enhance, signed=True),
        "sharpness": Reach(1, 1 + enhance, signed=True),
        "posterize": Reach(8, bits),  # bits that stay
        "solarize": Reach(255, 0),  # the value from which up it inverts
        "autocontrast": Reach(),
        "equalize": Reach(),
        "invert": Reach(),
    }


# Cubuk et al. 2019, with the reach that the field took over from AutoAugment: 150 of 331 px there
RANDAUGMENT = _space(shear=0.3, translate=("_rel", 150 / 331), rotate=30, enhance=0.9, bits=4)
# Müller & Hutter 2021, Table 6, "wide"; pixels, whatever the side
TRIVIAL_AUGMENT = _space(shear=0.99, translate=("", 32), rotate=135, enhance=0.99, bits=2)


def usual(space: Space) -> tuple[str, ...]:
    """The operations of the papers' own lists: all but invert, which AutoAugment alone has."""
    return tuple(name for name in space if name != "invert")


def check_operations(space: Space, names: Sequence[str], where: str) -> None:
    """Raise UsageError unless there is a name, and each is one of the space."""
    if not names:
        raise UsageError(f"{where} needs an operation at least: {', '.join(space)}")
    for name in names:
        if name not in space:
            raise UsageError(f"{where} has no {name!r}{nearest(name, space)}")


def drawn(
    space: Space, names: Sequence[str], strengths: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Of images with a strength in [0, 1] each: which of ``names`` each gets, int64, and the amount of it."""
    which = random.integers(0, len(names), len(strengths))
    signs = np.where(random.random(len(strengths)) < 0.5, -1, 1)
    weakest, strongest, signed = (
        np.array(column)[which] for column in zip(*(space[name] for name in names), strict=True)
    )
    return which, weakest + np.where(signed, signs, 1) * strengths * (strongest - weakest)
