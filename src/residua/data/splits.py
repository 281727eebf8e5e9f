"""Splits of images: read by position, from an array or as they are decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from residua.data.batches.keyed import generator
from residua.data.random_part import AREA, ASPECT, Range
from residua.errors import ResiduaError, UsageError


class Split(Protocol):
    """Images with labels, by position."""

    labels: np.ndarray  # the class of each image: int64 (N,)

    @property
    def left_out(self) -> Mapping[int, str]:
        """Positions that could not be read so far, with the reason; arrays have none."""
        ...

    def __len__(self) -> int: ...

    def read(self, positions: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Images uint8 (B, C, H, W), in channels_last memory, and labels int64 (B,).

        B may be smaller than asked for: what cannot be read is left out and listed in ``left_out``.
        """
        ...

    def paths(self) -> list[str] | None:
        """The file of each image, or None if there are no files."""
        ...


@runtime_checkable
class StreamingSplit(Split, Protocol):
    """A split whose images are decoded at each reading, so that each reading may crop afresh."""

    def read_augmented(
        self, positions: np.ndarray, key: tuple[int, int], area: Range = AREA, aspect: Range = ASPECT
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As ``read``, each image cropped and resized at random by ``key`` (seed, epoch) and its position.

        ``area`` and ``aspect`` as of ``residua.data.random_part``.
        """
        ...

    def order(self, random: np.random.Generator) -> np.ndarray:
        """Every position once, in the order of an epoch."""
        ...

    def sample(self, random: np.random.Generator, count: int) -> np.ndarray:
        """``count`` positions in order, each once."""
        ...


class ArraySplit:
    """Some of the images of one array in memory. Splits of one set share the array: none is copied."""

    left_out: Mapping[int, str] = {}

    def __init__(
        self,
        images: torch.Tensor,  # uint8 (N, C, H, W) in channels_last memory, or (N, C, D, H, W)
        labels: np.ndarray,  # int64 (N,)
        positions: np.ndarray,  # which of the N are in this split
        files: Sequence[str] | None = None,  # where each of the N came from
    ) -> None:
        self.labels = labels[positions].astype(np.int64)
        self._pixels = images.movedim(1, -1)  # (N, H, W, C): one image is one run of bytes
        self._positions = positions
        self._files = files

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, positions: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Copies of the images uint8 (B, C, H, W) and labels int64 (B,) at ``positions``."""
        pixels = self._pixels.index_select(0, torch.from_numpy(self._positions[positions]))
        return pixels.movedim(-1, 1), torch.from_numpy(self.labels[positions])

    def paths(self) -> list[str] | None:
        """The file of each image, or None if the array did not come from image files."""
        return None if self._files is None else [self._files[int(i)] for i in self._positions]


def stratified_split(labels: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the rest and of a part that holds ``fraction`` of every class, each in rising order.

    A class of n images gives the rounded n * fraction, but at least one if it has two, and never its last one;
    fraction 0 gives an empty part. The same labels, fraction and seed give the same split everywhere.
    """
    if not 0 <= fraction < 1:
        raise UsageError(f"a fraction to split off must be in [0, 1), not {fraction}")
    order = generator(seed, "split").permutation(len(labels))
    chosen = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        count = min(max(int(len(members) * fraction + 0.5), 1), len(members) - 1) if fraction else 0
        chosen[members[:count]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def mean_std(*splits: Any, at_most: int | None = None) -> tuple[tuple[float, ...], tuple[float, ...], int]:
    """Mean and standard deviation per channel, scaled to [0, 1], and the number of images that they are of.

    ``splits`` are Splits; ``at_most`` measures a fixed sample of so many images of each StreamingSplit. The sums are
    of whole numbers: the result depends on no thread count and no machine. A constant channel gets a std of 1.
    """
    seen, counts = 0, np.zeros((1, 256), np.int64)  # how often each value occurs in each channel
    for split in splits:
        chosen = np.arange(len(split))
        if at_most is not None and at_most < len(split):
            chosen = split.sample(generator(0, "measure"), at_most)
        for start in range(0, len(chosen), 1024):
            images, _ = split.read(chosen[start : start + 1024])
            values = images.movedim(1, -1).flatten(0, -2).numpy()  # (pixels, C)
            counts = counts + np.stack([np.bincount(channel, minlength=256) for channel in values.T])
            seen += len(images)
    if not seen:
        raise ResiduaError("no image of the training part can be read")
    pixels, levels = int(counts[0].sum()), np.arange(256)
    sums, squares = (counts @ levels).tolist(), (counts @ levels**2).tolist()  # whole numbers, exact
    deviations = [
        (pixels * square - total * total) ** 0.5 for total, square in zip(sums, squares, strict=True)
    ]
    return (
        tuple(total / (255 * pixels) for total in sums),
        tuple(deviation / (255 * pixels) or 1.0 for deviation in deviations),
        seen,
    )
