"""``Data`` of samples that are in memory already, images or the rows of a table, whose division is known.

Of a row every column is a channel. Numbers are kept as float64 until they are standardised, so that a column of years
or of prices loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from residua.data.identity import array_bytes, digest
from residua.data.loaded import Data, identified
from residua.data.splits import ArraySplit, mean_std
from residua.spec import DataSpec


def divided_data(
    spec: DataSpec,
    *,
    samples: np.ndarray,  # rows float64 (N, columns), finite; images uint8 (N, H, W, C)
    labels: np.ndarray,  # int64 (N,)
    classes: Sequence[str],
    places: Mapping[str, np.ndarray],  # of train, test and val: which samples; an empty val is none
    splits: Mapping[str, str],  # where val and test come from, in words
    pad: int = 0,
) -> Data:
    """``Data`` on the scale of the training samples: mean and deviation of each column, or of each channel."""
    stored = torch.from_numpy(np.ascontiguousarray(samples))
    held = stored.movedim(-1, 1)
    parts = {name: ArraySplit(held, labels, chosen) for name, chosen in places.items()}
    if samples.ndim == 2:
        what, (mean, std) = "rows", standardisation(samples[places["train"]])
    else:
        what, (mean, std) = "images", mean_std(parts["train"])[:2]
    contents = digest([array_bytes(stored.numpy()), array_bytes(labels)])
    return identified(
        spec,
        path=None,
        storage="memory",
        classes=classes,
        shape=tuple(held.shape[1:]),
        parts=parts,
        mean=mean,
        std=std,
        pad=pad,
        flip=False,
        fingerprint={"of": f"{what} and labels", "sha256": contents},
        splits=dict(splits),
        split_sha256=digest(array_bytes(chosen.astype("<i8")) for chosen in places.values()),
        mean_std_of=f"the {len(places['train'])} training {what}",
        preprocessing="none: the stored values",
        skipped=[],
    )


def standardisation(rows: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each column of rows (N, columns).

    A column that is the same in all rows gets a deviation of 1; what rounding makes of its deviation is none.
    """
    mean, std = rows.mean(0), rows.std(0)
    constant = std <= 10 * np.finfo(np.float64).eps * np.abs(mean)
    return tuple(mean.tolist()), tuple(np.where(constant, 1.0, std).tolist())
