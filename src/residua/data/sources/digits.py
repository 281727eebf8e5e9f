"""The embedded default: 1,797 handwritten digits of 8x8 pixels (Alpaydin & Kaynak, UCI, CC BY 4.0).

``digits`` holds out one fixed, stratified fifth as the test part, the same for every seed. ``digits:fold=K`` with K
from 0 to 4 holds out another fifth: the five test parts are disjoint and cover the set. Fold 0 is the fixed one.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch

from residua.data.arrays import array_data
from residua.data.loaded import Data
from residua.errors import UsageError
from residua.spec import DataSpec

FOLDS = 5
FILE = Path(__file__).with_name("digits.npz")  # made by scripts/make_digits.py; attribution in digits.txt


def load_digits(spec: DataSpec, option: str) -> Data:
    """The digits as uint8 (1, 8, 8); ``option`` is empty or ``fold=K``. Raises UsageError for any other."""
    match = re.fullmatch(r"(?:fold=([0-4]))?", option)
    if match is None:
        raise UsageError(
            f"digits takes no {option!r}; it is 'digits' or 'digits:fold=K' with K from 0 to {FOLDS - 1}"
        )
    with np.load(FILE, allow_pickle=False) as file:
        levels, labels = file["images"], file["labels"].astype(np.int64)
        test, folds = file["test_indices"].astype(np.int64), file["folds"]
    test_is = "the fixed stratified fifth that the package ships"
    if match[1]:
        test = np.flatnonzero(folds == int(match[1]))
        test_is = f"fold {match[1]} of {FOLDS}"
    pixels = levels.astype(np.uint16) * 255 // 16  # 17 grey levels, 0 to 16
    images = torch.from_numpy(pixels.astype(np.uint8))[:, None]
    return array_data(
        spec,
        kind="digits",
        path=None,
        classes=tuple("0123456789"),
        images=images,
        labels=labels,
        train=np.setdiff1d(np.arange(len(labels)), test),
        test=test,
        test_is=test_is,
        pad=1,
        flip=False,
    )
