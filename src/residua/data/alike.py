"""Images that lie in a set several times: the same bytes, or the same picture at another size or quality.

Two pictures are taken for one if their grey thumbnails of 16x16 pixels correlate by ``ALIKE`` or more, so that neither
size, aspect, compression, brightness nor contrast matters; a crop, or a mirrored copy, is another picture.
``benchmarks/results/near_duplicates.md`` has what is found by it and what is found wrongly, beside hashes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

ALIKE = 0.97  # correlation
PLAIN = 4.0  # grey levels: a thumbnail of a smaller standard deviation is one colour, and like any other such
ROWS, COLUMNS = 256, 4096  # thumbnails that are compared at once: 4 MB of correlations


@dataclass(frozen=True)
class Group:
    """Images that are one: their positions, and whether all have the same bytes."""

    places: tuple[int, ...]
    exact: bool


def groups(
    digests: Sequence[bytes], thumbnails: np.ndarray, progress: Callable[[int, int], None] | None = None
) -> list[Group]:
    """Every group of two and more images, in the order of their first ones.

    ``thumbnails`` are uint8 (N, H, W). Each image joins the first one that it is like, so that what is held grows with
    the number of images and not with that of pairs.
    """
    first: dict[bytes, int] = {}
    leaders = np.array([first.setdefault(digest, place) for place, digest in enumerate(digests)], dtype=int)
    different = np.array(sorted(first.values()), dtype=int)
    joined = different[first_alike(thumbnails[different], progress)]
    for place, leader in zip(different, joined, strict=True):  # rising: a leader's own leader is known
        leaders[place] = leaders[leader]
    leaders = leaders[leaders]  # what has the bytes of a follower follows the same leader
    members: dict[int, list[int]] = {}
    for place, leader in enumerate(leaders.tolist()):
        members.setdefault(leader, []).append(place)
    return [
        Group(tuple(places), len({digests[place] for place in places}) == 1)
        for places in members.values()
        if len(places) > 1
    ]


def first_alike(thumbnails: np.ndarray, progress: Callable[[int, int], None] | None = None) -> np.ndarray:
    """For each thumbnail the position of the first one that it is like: at most its own. int64 (N,)."""
    count = len(thumbnails)
    first = np.arange(count)
    vectors, plain = _standardised(thumbnails)
    for top in range(0, count, ROWS):
        rows = vectors[top : top + ROWS]
        for left in range(0, top + len(rows), COLUMNS):
            alike = rows @ vectors[left : min(left + COLUMNS, top + len(rows))].T >= ALIKE
            found = np.where(alike.any(1), left + alike.argmax(1), count)
            first[top : top + ROWS] = np.minimum(first[top : top + ROWS], found)
        if progress:
            progress(top + len(rows), count)
    first[plain] = np.flatnonzero(plain)
    return first


def _standardised(thumbnails: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Thumbnails as float32 (N, pixels) of mean 0 and norm 1, and which of them are plain; these are zeros."""
    values = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    values -= values.mean(1, keepdims=True)
    deviations = values.std(1)
    plain = deviations < PLAIN
    norms = np.where(plain, np.inf, deviations * np.sqrt(values.shape[1], dtype=np.float32))
    return values / norms[:, None], plain
