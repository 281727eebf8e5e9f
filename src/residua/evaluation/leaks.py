"""Test images that the network has been trained on: the same pictures lie in both parts, at another size or quality.

What they are told right says little, for they may have been learned by heart. Looked for in images of ``SIDE`` pixels
and more: smaller ones, such as digits, are alike without being the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate

from residua.data import Data
from residua.data.alike import first_alike
from residua.data.splits import Split, StreamingSplit
from residua.evaluation.mistakes import picture_of

SIDE = 24  # px
THUMBNAIL = 16  # px, as the measure wants them
MOST = {False: 30_000, True: 3_000}  # images in all, by whether they are decoded anew; in more nobody looks
SHOWN = 8
BATCH = 512


def leaks(data: Data) -> dict[str, Any] | None:
    """How many test images lie among the training images too, and the first ones beside these; None if unasked.

    ``{"found", "of", "images": [{"test", "train", "same_label"}]}``, pictures as in an inspection.
    """
    train, test = data.train, data.test
    most = MOST[isinstance(train, StreamingSplit)]
    if len(data.shape) != 3 or min(data.shape[1:]) < SIDE or len(train) + len(test) > most:
        return None
    (seen, of_train), (asked, of_test) = _thumbnails(train), _thumbnails(test)
    first = first_alike(np.concatenate([seen, asked]))[len(seen) :]
    found = np.flatnonzero(first < len(seen))
    return {
        "found": len(found),
        "of": len(asked),
        "images": [
            {
                "test": picture_of(data, "test", at := int(of_test[place])),
                "train": picture_of(data, "train", twin := int(of_train[first[place]])),
                "same_label": bool(test.labels[at] == train.labels[twin]),
            }
            for place in found[:SHOWN]
        ],
    }


def _thumbnails(split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Grey thumbnails uint8 (N, H, W) of the readable images of a split, and their positions int64 (N,)."""
    parts, readable = [], []
    for start in range(0, len(split), BATCH):
        positions = np.arange(start, min(start + BATCH, len(split)))
        pixels, _ = split.read(positions)
        grey = pixels.float().mean(1, keepdim=True)
        small = interpolate(grey, (THUMBNAIL, THUMBNAIL), mode="area") if len(grey) else grey
        parts.append(small[:, 0].round().to(torch.uint8).numpy())
        readable.append(positions[[position not in split.left_out for position in positions.tolist()]])
    return np.concatenate([part for part in parts if len(part)]), np.concatenate(readable)
