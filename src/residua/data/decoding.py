"""A split whose images are decoded at each reading, by a pool of threads.

Pillow decodes outside Python's lock, so threads are enough and no worker process is needed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch

from residua.data.batches.keyed import generator
from residua.data.image import (
    BadImage,
    Encoded,
    decoded_size,
    image_name,
    preprocess,
    random_crop,
    read_image,
)
from residua.data.parallel import in_parallel
from residua.data.random_part import AREA, ASPECT, Range

T = TypeVar("T")

log = logging.getLogger(__name__)

WINDOW = 128 << 20  # bytes of encoded images that are shuffled at once, where they are read in blocks


class Blocks:
    """Positions in runs that are read as one, such as the row groups of a file."""

    def __init__(self, runs: Sequence[np.ndarray], sizes: Sequence[int]) -> None:
        self._runs = runs
        self._sizes = sizes  # bytes of each run

    def order(self, random: np.random.Generator) -> np.ndarray:
        """Every position once: runs in any order, and any order among those that fit in ``WINDOW`` bytes together."""
        windows: list[list[np.ndarray]] = [[]]
        room = WINDOW
        for i in random.permutation(len(self._runs)):
            if windows[-1] and self._sizes[i] > room:
                windows.append([])
                room = WINDOW
            windows[-1].append(self._runs[i])
            room -= self._sizes[i]
        return np.concatenate([random.permutation(np.concatenate(window)) for window in windows])


class Store(Protocol):
    """Where the encoded images of a set lie, by name."""

    def contents(self, name: str) -> Encoded:
        """The file of an image, its bytes or Pillow's image. Raises BadImage. Called by several threads at once."""
        ...

    def blocks(self, names: Sequence[str]) -> Blocks | None:
        """Which of the images, by position, are read together; None if each is read alone."""
        ...


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How the images of a set become pixels, alike for all of its splits."""

    root: Path  # names are relative to it
    store: Store
    size: int
    channels: int
    threads: int
    strict: bool  # raise at the first bad file instead of leaving it out

    def read(self, path: str) -> np.ndarray:
        """Pixels uint8 (C, H, W) of an image. Raises BadImage."""
        image = read_image(self.store.contents(path), at_least=decoded_size(self.size))
        return preprocess(image, self.size, self.channels)

    def read_all(
        self, paths: Sequence[str], read: Callable[[int], np.ndarray]
    ) -> tuple[torch.Tensor, dict[int, str]]:
        """Images uint8 (N, C, H, W) in channels_last memory, and the places of bad files with the reasons.

        ``read(i)`` gives the pixels of ``paths[i]``. A bad file's image is left as zeros and warned of in one line.
        Raises BadImage instead if ``strict``.
        """
        pixels = np.zeros((len(paths), self.size, self.size, self.channels), np.uint8)
        bad: dict[int, str] = {}

        def fill(i: int) -> None:
            try:
                pixels[i] = read(i).transpose(1, 2, 0)
            except BadImage as error:
                if self.strict:
                    raise BadImage(image_name(self.root / paths[i]), error.reason) from error
                bad[i] = error.reason

        in_parallel(fill, range(len(paths)), self.threads)
        bad = dict(sorted(bad.items()))
        say_skipped({paths[i]: reason for i, reason in bad.items()})
        return torch.from_numpy(pixels).permute(0, 3, 1, 2), bad


class EncodedSplit:
    """Images that are decoded when they are read; what cannot be read is left out and listed."""

    def __init__(self, decoding: Decoding, files: Sequence[str], labels: np.ndarray) -> None:
        self.labels = labels.astype(np.int64)
        self.left_out: dict[int, str] = {}
        self._decoding = decoding
        self._files = files
        self._blocks = decoding.store.blocks(files)

    def __len__(self) -> int:
        return len(self.labels)

    def paths(self) -> list[str]:
        """The file of each image."""
        return [str(self._decoding.root / path) for path in self._files]

    def unreadable(self) -> list[dict[str, str]]:
        """What could not be read so far, as ``data.json`` lists it."""
        return [
            {"path": image_name(self._files[place]), "reason": why} for place, why in self.left_out.items()
        ]

    def read(self, positions: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Images uint8 (B, C, H, W), prepared as for evaluation, and labels int64 (B,) of the readable files."""
        return self._read(positions, lambda position: self._decoding.read(self._files[position]))

    def read_augmented(
        self, positions: np.ndarray, key: tuple[int, int], area: Range = AREA, aspect: Range = ASPECT
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As ``read``, but each image is a random crop, drawn by ``key`` (seed, epoch) and its position."""
        seed, epoch = key
        how = self._decoding

        def crop(position: int) -> np.ndarray:
            random = generator(seed, "crop", epoch, position)
            source = how.store.contents(self._files[position])
            return random_crop(source, how.size, how.channels, random, area, aspect)

        return self._read(positions, crop)

    def order(self, random: np.random.Generator) -> np.ndarray:
        """Every position once: in any order, or block by block as ``Blocks.order``."""
        return random.permutation(len(self)) if self._blocks is None else self._blocks.order(random)

    def sample(self, random: np.random.Generator, count: int) -> np.ndarray:
        """``count`` positions, each once; of few blocks, if there are any."""
        return sample(len(self), self._blocks, random, count)

    def _read(
        self, positions: np.ndarray, read: Callable[[int], np.ndarray]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        wanted = [int(position) for position in positions if position not in self.left_out]
        images, bad = self._decoding.read_all([self._files[i] for i in wanted], lambda i: read(wanted[i]))
        self.left_out.update({wanted[i]: reason for i, reason in bad.items()})
        labels = torch.from_numpy(self.labels[wanted])
        if not bad:
            return images, labels
        good = torch.tensor([i for i in range(len(wanted)) if i not in bad], dtype=torch.int64)
        return images[good].contiguous(memory_format=torch.channels_last), labels[good]


def unreadable(*parts: Any) -> list[dict[str, str]]:
    """What of a training's parts turned out to be bad when it was decoded, as ``data.json`` lists it."""
    return [item for part in parts if isinstance(part, EncodedSplit) for item in part.unreadable()]


def look_at(
    root: Path, names: Sequence[str], look: Callable[[str], T], *, strict: bool, threads: int
) -> tuple[dict[str, T], dict[str, str]]:
    """What ``look`` tells of each name, and the reasons of those for which it raises BadImage; ``strict`` raises it."""

    def tried(name: str) -> T | BadImage:
        try:
            return look(name)
        except BadImage as error:
            return error

    seen: dict[str, T] = {}
    skipped: dict[str, str] = {}
    for name, told in zip(names, in_parallel(tried, names, threads), strict=True):
        if not isinstance(told, BadImage):
            seen[name] = told
            continue
        if strict:
            raise BadImage(image_name(root / name), told.reason)
        skipped[name] = told.reason
    return seen, skipped


def say_skipped(skipped: Mapping[str, str]) -> None:
    """A line for each bad file."""
    for name, reason in skipped.items():
        log.warning("skipped %s: %s", image_name(name), reason)


def sample(length: int, blocks: Blocks | None, random: np.random.Generator, count: int) -> np.ndarray:
    """``count`` of the positions below ``length``, in order; of few blocks, if there are any."""
    if blocks is None:
        return np.sort(random.choice(length, count, replace=False))
    return np.sort(blocks.order(random)[:count])
