"""A part of a split as a split of its own: what a fold trains on, and what it is asked about."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from residua.data.random_part import AREA, ASPECT, Range
from residua.data.splits import Split, StreamingSplit


class PartOfSplit:
    """The images of a split at some positions, in their order."""

    def __init__(self, of: Split, positions: np.ndarray) -> None:
        self.of, self.positions = of, positions  # int64 (N,)
        self.labels = of.labels[positions]
        self._place = {int(position): place for place, position in enumerate(positions)}

    @property
    def left_out(self) -> Mapping[int, str]:
        """Positions in this part that could not be read so far, with the reason."""
        return {
            self._place[position]: why
            for position, why in self.of.left_out.items()
            if position in self._place
        }

    def __len__(self) -> int:
        return len(self.positions)

    def read(self, positions: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Images uint8 (B, C, H, W) and labels int64 (B,)."""
        return self.of.read(self.positions[positions])

    def paths(self) -> list[str] | None:
        """The file of each image, or None if there are no files."""
        paths = self.of.paths()
        return None if paths is None else [paths[int(position)] for position in self.positions]


class PartOfStream(PartOfSplit):
    """The same of a split that is decoded at each reading."""

    of: StreamingSplit

    def read_augmented(
        self, positions: np.ndarray, key: tuple[int, int], area: Range = AREA, aspect: Range = ASPECT
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As ``read``, each image cropped and resized at random by ``key`` (seed, epoch) and its position."""
        return self.of.read_augmented(self.positions[positions], key, area, aspect)

    def order(self, random: np.random.Generator) -> np.ndarray:
        """Every position once, in the order of an epoch."""
        return random.permutation(len(self))

    def sample(self, random: np.random.Generator, count: int) -> np.ndarray:
        """``count`` positions in order, each once."""
        return np.sort(random.choice(len(self), count, replace=False))


def part_of(split: Split, positions: np.ndarray) -> PartOfSplit:
    """The images of a split at ``positions``, int64 (N,)."""
    return (PartOfStream if isinstance(split, StreamingSplit) else PartOfSplit)(split, positions)
