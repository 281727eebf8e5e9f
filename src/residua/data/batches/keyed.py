"""Randomness that is a function of what it is for: never of a worker, a rank, or of what was drawn before."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from residua.errors import UsageError


def generator(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """A counter-based generator keyed by ``(seed, purpose, *numbers)``, e.g. ``(0, "order", epoch)``.

    Equal keys give equal streams, so a resumed run draws what the uninterrupted one would have drawn.
    Raises UsageError for a negative seed.
    """
    if seed < 0:
        raise UsageError(f"a seed is 0 or above, not {seed}")
    key = np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), *numbers])
    return np.random.Generator(np.random.Philox(key))


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchKey:
    """All that what is drawn for a training batch may follow from."""

    seed: int
    epoch: int
    step: int  # of the whole training
    positions: np.ndarray  # of its images in the training part: int64 (B,)

    def generator(self, purpose: str) -> np.random.Generator:
        """That of the batch for a purpose, such as the name of an augmentation."""
        return generator(self.seed, purpose, self.step)
