"""What every source of images gives the loop: splits that are read by position, and the data around them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from residua.data.batches.keyed import generator
from residua.errors import ResiduaError, UsageError
from residua.spec import DataSpec, Recipe


class Split(Protocol):
    """Images with labels, by position."""

    @property
    def labels(self) -> np.ndarray:
        """The class of each image: int64 (N,)."""
        ...

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
        self, positions: np.ndarray, key: tuple[int, int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As ``read``, each image cropped and resized at random by ``key`` (seed, epoch) and its position."""
        ...


class Source(Protocol):
    """What a training needs of its data, whatever it is: images, volumes, text, scenes."""

    @property
    def kind(self) -> str:
        """``digits``, ``cifar10``, ``folder`` ..."""
        ...

    @property
    def spec(self) -> DataSpec:
        """What it was loaded from."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample, as the network gets it, without the batch."""
        ...

    @property
    def identity(self) -> dict[str, Any]:
        """What ``data.json`` holds; ``same_identity`` compares two."""
        ...

    @property
    def train(self) -> Sized:
        """The training samples."""
        ...

    @property
    def val(self) -> Sized | None:
        """The validation samples, if any are held out."""
        ...

    @property
    def test(self) -> Sized:
        """The test samples, read once at the end."""
        ...

    def model_changes(self) -> dict[str, Any]:
        """Fields of a model's spec that follow from the data, such as ``num_classes``."""
        ...

    def about(self) -> dict[str, Any]:
        """What the header of a weight file says of the data that the network takes."""
        ...

    def train_batches(
        self,
        recipe: Recipe,
        *,
        seed: int,
        device: str = "cpu",
        memory_format: torch.memory_format = torch.channels_last,
        limit: int | None = None,
    ) -> Any:
        """Training batches: ``steps_per_epoch`` and ``epoch(epoch, start)``, batch i of epoch e always the same."""
        ...

    def eval_batches(
        self,
        split: str,
        batch_size: int,
        *,
        device: str = "cpu",
        memory_format: torch.memory_format = torch.channels_last,
        limit: int | None = None,
    ) -> Iterator[Any]:
        """The samples of ``train``, ``val`` or ``test`` in order, each once."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Data:
    """Images with classes: a Source, with the splits and all that a network, a run folder and a report need to know."""

    kind: str
    spec: DataSpec
    classes: tuple[str, ...]
    shape: tuple[int, ...]  # (C, H, W) of what the network gets, (C, D, H, W) of clips and volumes
    train: Split
    val: Split | None
    test: Split
    mean: tuple[float, ...]  # per channel, of images scaled to [0, 1]
    std: tuple[float, ...]
    pad: int  # the data's own augmentation habits: pixels of padding to crop from,
    flip: bool  # and whether a mirrored image is still of its class
    identity: dict[str, Any]  # JSON values; what ``data.json`` holds

    def split(self, name: str) -> Split:
        """``train``, ``val`` or ``test``. Raises UsageError for another name, or if there is no such part."""
        if name not in ("train", "val", "test"):
            raise UsageError(f"a split is 'train', 'val' or 'test', not {name!r}")
        part: Split | None = getattr(self, name)
        if part is None:
            raise UsageError(
                f"{self.spec.source} has no {name} part (val_fraction is {self.spec.val_fraction})"
            )
        return part

    def model_changes(self) -> dict[str, Any]:
        """Classes and channels."""
        return {"num_classes": len(self.classes), "in_channels": self.shape[0]}

    def about(self) -> dict[str, Any]:
        """What a network needs to know to take the same images again."""
        return {
            "kind": self.kind,
            "classes": list(self.classes),
            "shape": list(self.shape),
            "mean": list(self.mean),
            "std": list(self.std),
        }

    def train_batches(
        self,
        recipe: Recipe,
        *,
        seed: int,
        device: str = "cpu",
        memory_format: torch.memory_format = torch.channels_last,
        limit: int | None = None,
    ) -> Any:
        """Training batches (``pipeline.TrainBatches``): augmented, normalised, on the device."""
        from residua.data.batches.pipeline import TrainBatches

        return TrainBatches(
            data=self,
            batch_size=recipe.batch_size,
            seed=seed,
            pad=self.pad if recipe.pad is None else recipe.pad,
            flip=self.flip if recipe.flip is None else recipe.flip,
            device=device,
            memory_format=memory_format,
            limit=limit,
        )

    def eval_batches(
        self,
        split: str,
        batch_size: int,
        *,
        device: str = "cpu",
        memory_format: torch.memory_format = torch.channels_last,
        limit: int | None = None,
    ) -> Iterator[Any]:
        """Every image of a part in order (``pipeline.eval_batches``)."""
        from residua.data.batches.pipeline import eval_batches

        return eval_batches(self, split, batch_size, device=device, memory_format=memory_format, limit=limit)

    def normalized_with(self, mean: Sequence[float], std: Sequence[float]) -> Data:
        """The same images with somebody else's mean and std (a peer's checkpoint was trained with its own)."""
        channels = self.shape[0]
        if len(mean) != channels or len(std) != channels or min(std) <= 0:
            raise UsageError(f"mean and std need {channels} numbers each, std above 0, not {mean} and {std}")
        given = {"mean": list(mean), "std": list(std), "mean_std_of": "given"}
        return dataclasses.replace(
            self, mean=tuple(mean), std=tuple(std), identity={**self.identity, **given}
        )


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


def mean_std(*splits: Split, at_most: int | None = None) -> tuple[tuple[float, ...], tuple[float, ...], int]:
    """Mean and standard deviation per channel, scaled to [0, 1], and the number of images that they are of.

    ``at_most`` measures a fixed sample of so many images of each split. The sums are
    of whole numbers: the result depends on no thread count and no machine. A constant channel gets a std of 1.
    """
    seen, counts = 0, np.zeros((1, 256), np.int64)  # how often each value occurs in each channel
    for split in splits:
        chosen = np.arange(len(split))
        if at_most is not None and at_most < len(split):
            chosen = np.sort(generator(0, "measure").choice(len(split), at_most, replace=False))
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
