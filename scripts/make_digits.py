"""Make src/residua/data/sources/digits.npz from scikit-learn's copy of the UCI digits: python scripts/make_digits.py

Running it again gives the same arrays. It needs scikit-learn, which the package itself does not.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from residua.data.batches.keyed import generator
from residua.data.sources.digits import FILE, FOLDS
from residua.files import write_atomic


def stratified_folds(labels: np.ndarray) -> np.ndarray:
    """A fold number for every image, each class dealt out evenly in a seeded random order."""
    order = generator(0, "folds").permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]  # class after class, dealt out like cards
    folds = np.empty(len(labels), dtype=np.uint8)
    folds[order] = np.arange(len(labels)) % FOLDS
    return folds


def main() -> None:
    """Write the file."""
    rows, labels = load_digits(return_X_y=True)
    folds = stratified_folds(labels)
    arrays = {
        "images": rows.reshape(-1, 8, 8).astype(np.uint8),
        "labels": labels.astype(np.uint8),
        "test_indices": np.flatnonzero(folds == 0).astype(np.uint16),
        "folds": folds,
    }

    def write(path: Path) -> None:
        with path.open("wb") as file:
            np.savez_compressed(file, **arrays)

    write_atomic(FILE, write)


if __name__ == "__main__":
    main()
