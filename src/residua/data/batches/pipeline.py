"""Batches as the loop gets them: in a seeded order, augmented, normalised, on the device."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import torch

from residua.data.augment.random_resized_crop import RandomResizedCrop
from residua.data.batches.keyed import BatchKey, generator
from residua.data.batches.normalize import normalize
from residua.data.splits import ArraySplit, Split, StreamingSplit
from residua.errors import ResiduaError
from residua.spec import Augmentation, Resolution

AHEAD = 3  # batches of a streaming split that are decoded before they are asked for

T = TypeVar("T")


class _Images(Protocol):  # residua.data.Data
    @property
    def train(self) -> Split: ...
    @property
    def mean(self) -> tuple[float, ...]: ...
    @property
    def std(self) -> tuple[float, ...]: ...
    def split(self, name: str) -> Split: ...


class Others(Protocol):
    """The processes that share each batch, of which this is one (``residua.train.processes``)."""

    def share(self, rows: int) -> slice:
        """Which rows of a batch are this process's."""
        ...

    def gathered(self, *tensors: torch.Tensor) -> list[torch.Tensor]:
        """The rows of all processes, one after another, of tensors that have the same number of rows here."""
        ...


@dataclass(frozen=True, kw_only=True)
class TrainBatches:
    """Training batches. Batch i of epoch e is a function of (seed, e, i): a resumed run sees the same stream.

    The last, partial batch of an epoch is dropped; a set smaller than a batch is one batch. ``limit`` ends each epoch
    after so many batches. ``others`` share the decoding of a streaming set: each reads its rows of a batch, and then
    all have them all, so that what augments a batch is drawn, and paired, as by one process. Raises UsageError for an
    augmentation that has no meaning for the data.
    """

    data: _Images
    batch_size: int
    seed: int
    augmentation: Sequence[Augmentation] = ()
    resolution: Resolution | None = None
    total_steps: int | None = None  # of the training, in whose course the resolution changes
    device: torch.device | str = "cpu"
    memory_format: torch.memory_format = torch.channels_last
    limit: int | None = None
    others: Others | None = None

    def __post_init__(self) -> None:
        for part in self.augmentation:
            part.build(self.data)  # what has no meaning for the data is refused before the first epoch

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch, at least 1."""
        steps = max(1, len(self.data.train) // self.batch_size)
        return steps if self.limit is None else min(steps, self.limit)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Batches ``start``, ``start + 1``, ... of an epoch: images float32 (B, C, H, W) and labels int64 (B,).

        Where labels are mixed they are the share of each class, float32 (B, classes).
        A batch of a streaming set may be smaller by the files that cannot be read. Raises ResiduaError if none of a
        batch's files can be, BadImage for the first of them if the data is strict.
        """
        train, random = self.data.train, generator(self.seed, "order", epoch)
        order = train.order(random) if isinstance(train, StreamingSplit) else random.permutation(len(train))
        size = min(self.batch_size, len(order))
        reads = (
            partial(self._read, epoch, order[i * size : (i + 1) * size])
            for i in range(start, self.steps_per_epoch)
        )
        of_pixels, of_normalized = (
            [part.build(self.data) for part in self.augmentation if part.normalized is normalized]
            for normalized in (False, True)
        )
        total = self.total_steps or self.steps_per_epoch
        shown = None if self.resolution is None else self.resolution.build(self.data, total)
        for i, (images, targets, positions) in enumerate(_in_advance(reads, train), start):
            images, targets = (part.to(self.device, non_blocking=True) for part in (images, targets))
            if self.others is not None and isinstance(train, StreamingSplit):
                images, targets, read = self.others.gathered(images, targets, torch.from_numpy(positions))
                positions = read.numpy()
            if not len(positions):
                raise ResiduaError(f"none of the {size} files of a training batch can be read")
            step = epoch * self.steps_per_epoch + i
            key = BatchKey(seed=self.seed, epoch=epoch, step=step, positions=positions)
            for augment in of_pixels:
                images, targets = augment(images, targets, key)
            images = normalize(images, self.data.mean, self.data.std, memory_format=self.memory_format)
            for augment in of_normalized:
                images, targets = augment(images, targets, key)
            yield images if shown is None else shown(images, key), targets

    def _read(self, epoch: int, positions: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
        train = self.data.train
        if isinstance(train, StreamingSplit):
            if self.others is not None:
                positions = positions[self.others.share(len(positions))]
            named = (part for part in self.augmentation if isinstance(part, RandomResizedCrop))
            crop = next(named, RandomResizedCrop())
            images, labels = train.read_augmented(positions, (self.seed, epoch), crop.area, crop.aspect)
        else:
            images, labels = train.read(positions)
        return images, labels, _kept(train, positions)


class EvalBatch(NamedTuple):
    """Some images of a split in order, and where they stand in it; unreadable ones are left out."""

    images: torch.Tensor  # float32 (B, C, H, W), normalised, on the device
    labels: torch.Tensor  # int64 (B,), on the device
    positions: np.ndarray  # int64 (B,)


def eval_batches(
    data: _Images,
    split_name: str,
    batch_size: int,
    *,
    device: torch.device | str = "cpu",
    memory_format: torch.memory_format = torch.channels_last,
    limit: int | None = None,
    turn: tuple[int, int] = (0, 1),
) -> Iterator[EvalBatch]:
    """Every image of ``train``, ``val`` or ``test`` once, in order, unaugmented; at most ``limit`` batches.

    ``turn``: (k, n) gives batches k, k + n, k + 2n, ... of these.
    What was left out is in ``data.split(split_name).left_out`` afterwards. Raises UsageError for an unknown split.
    """
    split = data.split(split_name)
    starts = range(0, len(split), batch_size)[:limit][turn[0] :: turn[1]]
    reads = (
        partial(_read_in_order, split, np.arange(start, min(start + batch_size, len(split))))
        for start in starts
    )
    for images, labels, positions in _in_advance(reads, split):
        if len(positions):
            images = normalize(images.to(device), data.mean, data.std, memory_format=memory_format)
            yield EvalBatch(images, labels.to(device), positions)


def _read_in_order(split: Split, positions: np.ndarray) -> EvalBatch:
    images, labels = split.read(positions)
    return EvalBatch(images, labels, _kept(split, positions))


def _kept(split: Split, positions: np.ndarray) -> np.ndarray:
    """Those of the positions, just read, whose images could be."""
    left_out = split.left_out
    return positions[np.array([position not in left_out for position in positions.tolist()])]


def _in_advance(reads: Iterable[Callable[[], T]], split: Split) -> Iterator[T]:
    """The results of ``reads``, in order; those of a streaming split are read a few ahead, by a thread.

    The thread ends with the iteration, however that ends: closing the generator is enough.
    """
    if isinstance(split, ArraySplit):
        for read in reads:
            yield read()
        return
    pool = ThreadPoolExecutor(1, thread_name_prefix="residua-batches")
    waiting: deque[Future[T]] = deque()
    try:
        for read in reads:
            waiting.append(pool.submit(read))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
