"""The embedded default: 1,797 handwritten digits of 8x8 pixels (Alpaydin & Kaynak, UCI, CC BY 4.0).

``digits`` holds out one fixed, stratified fifth as the test part, the same for every seed. ``digits:fold=K`` with K
from 0 to 4 holds out another fifth: the five test parts are disjoint and cover the set. Fold 0 is the fixed one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from residua.errors import UsageError
from residua.parts import register
from residua.spec import DataSource, DataSpec

FOLDS = 5
FILE = Path(__file__).with_name("digits.npz")  # made by scripts/make_digits.py; attribution in digits.txt


@register
@dataclass(frozen=True, kw_only=True)
class Digits(DataSource):
    """The digits as uint8 (1, 8, 8)."""

    kind: ClassVar[str] = "digits"
    fold: int | None = None  # the fifth that is the test part; None: the fixed one

    def validate(self) -> None:  # noqa: D102
        if self.fold not in (None, *range(FOLDS)):
            raise UsageError(f"{self.title()}.fold must be from 0 to {FOLDS - 1}, not {self.fold}")

    def load(self, spec: DataSpec, *, threads: int = 0, storage: str | None = None) -> Any:  # noqa: D102
        import torch

        from residua.data.arrays import array_data

        with np.load(FILE, allow_pickle=False) as file:
            levels, labels = file["images"], file["labels"].astype(np.int64)
            test, folds = file["test_indices"].astype(np.int64), file["folds"]
        test_is = "the fixed stratified fifth that the package ships"
        if self.fold is not None:
            test, test_is = np.flatnonzero(folds == self.fold), f"fold {self.fold} of {FOLDS}"
        pixels = levels.astype(np.uint16) * 255 // 16  # 17 grey levels, 0 to 16
        return array_data(
            spec,
            classes=tuple("0123456789"),
            images=torch.from_numpy(pixels.astype(np.uint8))[:, None],
            labels=labels,
            train=np.setdiff1d(np.arange(len(labels)), test),
            test=test,
            test_is=test_is,
            pad=1,
        )
