"""Randomness that is a function of what it is for: never of a worker, a rank, or of what was drawn before."""

from __future__ import annotations

import zlib

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
