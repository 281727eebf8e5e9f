"""A split whose images are decoded from their files at each reading, by a pool of threads.

Pillow decodes outside Python's lock, so threads are enough and no worker process is needed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from residua.data.batches.keyed import generator
from residua.data.image import BadImage, decoded_size, image_name, preprocess, random_crop, read_image

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How the files of a folder become pixels, alike for all of its splits."""

    root: Path
    size: int
    channels: int
    threads: int
    strict: bool  # raise at the first bad file instead of leaving it out

    def read(self, path: str) -> np.ndarray:
        """Pixels uint8 (C, H, W) of the file ``path`` below the root. Raises BadImage."""
        image = read_image(self.root / path, at_least=decoded_size(self.size))
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
                    raise
                bad[i] = error.reason

        with ThreadPoolExecutor(self.threads) as pool:
            for _ in pool.map(fill, range(len(paths))):
                pass
        bad = dict(sorted(bad.items()))
        for i, reason in bad.items():
            log.warning("skipped %s: %s", image_name(paths[i]), reason)
        return torch.from_numpy(pixels).permute(0, 3, 1, 2), bad


class FileSplit:
    """Images of a folder, decoded when they are read; what cannot be read is left out and listed."""

    def __init__(self, decoding: Decoding, files: Sequence[str], labels: np.ndarray) -> None:
        self.labels = labels.astype(np.int64)
        self.left_out: dict[int, str] = {}
        self._decoding = decoding
        self._files = files

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def skipped(self) -> list[dict[str, str]]:
        """The files left out so far, as ``data.json`` lists them."""
        return [
            {"path": image_name(self._files[i]), "reason": reason}
            for i, reason in sorted(self.left_out.items())
        ]

    def paths(self) -> list[str]:
        """The file of each image."""
        return [str(self._decoding.root / path) for path in self._files]

    def read(self, positions: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Images uint8 (B, C, H, W), prepared as for evaluation, and labels int64 (B,) of the readable files."""
        return self._read(positions, lambda position: self._decoding.read(self._files[position]))

    def read_augmented(
        self, positions: np.ndarray, key: tuple[int, int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As ``read``, but each image is a random crop, drawn by ``key`` (seed, epoch) and its position."""
        seed, epoch = key
        how = self._decoding

        def crop(position: int) -> np.ndarray:
            random = generator(seed, "crop", epoch, position)
            return random_crop(str(how.root / self._files[position]), how.size, how.channels, random)

        return self._read(positions, crop)

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
