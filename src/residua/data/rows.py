"""Rows of a table as ``Data``: every column is a channel, and a sample has nothing else.

Numbers are kept as float64 until they are standardised, so that a column of years or of prices loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from residua.data.identity import array_bytes, digest
from residua.data.loaded import Data, identified
from residua.data.splits import ArraySplit
from residua.spec import DataSpec


def row_data(
    spec: DataSpec,
    *,
    rows: np.ndarray,  # float64 (N, columns), finite
    labels: np.ndarray,  # int64 (N,)
    classes: Sequence[str],
    places: Mapping[str, np.ndarray],  # of train, test and val: which rows; an empty val is none
    splits: Mapping[str, str],  # where val and test come from, in words
    path: Path | None = None,
    **more: Any,  # of the identity
) -> Data:
    """``Data`` whose samples are rows, standardised column by column by the mean and deviation of the training rows.

    A column that is the same in all of them gets a deviation of 1.
    """
    table = torch.from_numpy(np.ascontiguousarray(rows, dtype=np.float64))
    mean, std = standardisation(rows[places["train"]])
    return identified(
        spec,
        path=path,
        storage="memory",
        classes=classes,
        shape=(table.shape[1],),
        parts={name: ArraySplit(table, labels, chosen) for name, chosen in places.items()},
        mean=mean,
        std=std,
        pad=0,
        flip=False,
        fingerprint={
            "of": "rows and labels",
            "sha256": digest([array_bytes(table.numpy()), array_bytes(labels)]),
        },
        splits=dict(splits),
        split_sha256=digest(array_bytes(chosen.astype("<i8")) for chosen in places.values()),
        mean_std_of=f"the {len(places['train'])} training rows",
        preprocessing="none: the numbers as they stand",
        skipped=[],
        **more,
    )


def standardisation(columns: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each column of (N, columns); 1 for a column without a deviation.

    What rounding leaves of a column that is the same everywhere is no deviation.
    """
    mean, std = columns.mean(0), columns.std(0)
    constant = std <= 10 * np.finfo(np.float64).eps * np.abs(mean)
    return tuple(mean.tolist()), tuple(np.where(constant, 1.0, std).tolist())
