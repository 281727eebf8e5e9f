"""What an estimator is given as X: the rows of a table, images, or paths of images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from residua.data.image import decoded_size, preprocess, read_image
from residua.data.layout import channels_last
from residua.data.parallel import in_parallel
from residua.errors import UsageError
from residua.machine import usable_cores

Kind = Literal["rows", "images", "paths"]
LARGEST = 1e30  # of a number in a table, so that its square is still a number


def kind_of(x: Any) -> Kind:
    """What X holds, by its shape and its first value; what is neither images nor paths is left to scikit-learn."""
    try:
        values = np.asarray(x)
    except ValueError:  # rows of different lengths
        return "rows"
    if values.ndim > 2:
        return "images"
    one_column = values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1)
    if one_column and len(values) and isinstance(values.reshape(-1)[0], str | os.PathLike):
        return "paths"
    return "rows"


def images_of(x: Any) -> np.ndarray:
    """Images uint8 (N, H, W, C) of an array (N, H, W), (N, H, W, C) or (N, C, H, W). Raises UsageError."""
    return np.ascontiguousarray(channels_last(x))


def read_paths(x: Any, size: int) -> np.ndarray:
    """The images of files, uint8 (N, size, size, 3), cropped and resized as in every training.

    Raises UsageError for what is no path, BadImage for the first file that cannot be read.
    """
    paths: Sequence[Any] = np.asarray(x, dtype=object).reshape(-1).tolist()
    for number, path in enumerate(paths):
        if not isinstance(path, str | os.PathLike):
            raise UsageError(f"X holds paths, but its value {number} is {path!r}")

    def read(path: str | os.PathLike[str]) -> np.ndarray:
        return preprocess(read_image(os.fspath(path), at_least=decoded_size(size)), size, 3)

    return np.ascontiguousarray(np.stack(in_parallel(read, paths, usable_cores())).transpose(0, 2, 3, 1))


def check_range(rows: np.ndarray) -> None:
    """Raise UsageError for numbers whose squares are none."""
    if np.abs(rows).max(initial=0) > LARGEST:
        raise UsageError(f"X holds a number beyond {LARGEST:g}: scale it first")
