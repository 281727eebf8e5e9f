"""What is known of data before anything is chosen for them: how many images of each class, and how large they are.

Of encoded images the listing and the headers are enough, so that a size can be chosen before any image is decoded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from residua.data.division import divide
from residua.data.encoded import read_headers
from residua.data.loaded import Data
from residua.machine import usable_cores
from residua.spec import DataSpec


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Facts about data. ``counts`` holds the images of each class, by part; of data without classes, the samples."""

    kind: str  # of the data: digits, folder ...
    counts: Mapping[str, tuple[int, ...]]
    channels: int = 3
    sides: tuple[int, ...] = ()  # px, rising: the shorter sides of the images that were looked at
    side: int | None = None  # px: of every image, if all are one small square
    shape: tuple[int, ...] | None = None  # of a sample, where it is no longer to be chosen

    def images(self, part: str) -> int:
        """How many images a part has; 0 if there is none."""
        return sum(self.counts.get(part, ()))


def facts_of(data: Any) -> Facts:
    """The facts about loaded data (``AnyData``)."""
    parts = {"train": data.train, "val": data.val, "test": data.test}
    classes = len(data.classes) if isinstance(data, Data) else 0
    counts = {
        name: tuple(np.bincount(part.labels, minlength=classes).tolist()) if classes else (len(part),)
        for name, part in parts.items()
        if part is not None
    }
    shape = tuple(data.shape)
    return Facts(kind=data.kind, counts=counts, channels=shape[0] if shape else 1, shape=shape)


def read_facts(spec: DataSpec, *, threads: int = 0) -> Facts | None:
    """The facts about encoded images that are not loaded yet; None for other sources. Raises as ``load_data``."""
    source = spec.source.resolved()
    listed = source.listed(spec)
    if listed is None:
        return None
    listing, store = listed
    headers, skipped = read_headers(listing, store, spec.strict, threads or usable_cores())
    sizes = {size for size, _ in headers}
    width, height = next(iter(sizes))
    parts, _ = divide(listing, set(skipped), spec)
    return Facts(
        kind=source.kind,
        counts={
            name: tuple(np.bincount(part.labels, minlength=len(listing.classes)).tolist())
            for name, part in parts.items()
        },
        channels=1 if all(grey for _, grey in headers) else 3,
        sides=tuple(sorted(min(size) for size, _ in headers)),
        side=width if len(sizes) == 1 and width == height else None,
    )
