"""A torch ``Dataset``, whose samples are (image, label): checked, and read as encoded images are.

Nothing that the Dataset draws at random may reach a training: a run could not be repeated or resumed. Its samples are
read one at a time, for nobody says whether it may be asked by several threads.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import IterableDataset

from residua.data.class_numbers import numbered
from residua.data.encoded import NEVER_FITS, encoded_data
from residua.data.identity import array_bytes, digest
from residua.data.image import BadImage
from residua.data.layout import CHANNELS, as_array
from residua.data.listing import Listing, PartFiles
from residua.data.loaded import Data
from residua.errors import ResiduaError, UsageError
from residua.machine import machine
from residua.spec import DataSpec

FINGERPRINTED = 1_000  # samples whose pixels go into the fingerprint, spread over the set
Parts = dict[str, Any]  # datasets by part
_END = object()


class Samples:
    """The images of datasets, called ``PART/NUMBER``: a ``residua.data.decoding.Store``."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._lock = parts, Lock()

    def contents(self, name: str) -> Any:
        """The image of a sample, as Pillow's. Raises BadImage."""
        part, _, number = name.partition("/")
        try:
            with self._lock:
                return picture(_sample(self._parts[part], int(number))[0], number)
        except ResiduaError as error:
            raise BadImage(name, str(error)) from error

    def blocks(self, names: Sequence[str]) -> None:
        """None: each is read alone."""


def dataset_data(spec: DataSpec, datasets: Sequence[Any], classes: Sequence[str] | None) -> Data:
    """``Data`` of a map-style Dataset, and of another one to test on if there are two. Raises as ``data_of``."""
    parts: Parts = dict(zip(("train", "test"), datasets, strict=False))
    for name, dataset in parts.items():
        _check_repeats(dataset, name)
    labels = {name: _labels(dataset, name) for name, dataset in parts.items()}
    numbers, names = numbered(list(labels.values()), classes or _names(datasets[0], labels["train"]))
    seen = set(numbers[0].tolist())
    listing = Listing(
        Path(type(datasets[0]).__name__),
        {
            name: PartFiles(
                f"the {name} Dataset" if len(parts) > 1 else "the Dataset",
                tuple(f"{name}/{i}" for i in range(len(places))),
                tuple(names[place] for place in places),
            )
            for (name, places) in zip(parts, numbers, strict=True)
        },
        tuple(name for number, name in enumerate(names) if number in seen),
    )
    store = Samples(parts)
    data = encoded_data(spec, listing, store, threads=1, files=())
    known = {"path": None, "fingerprint": _fingerprint(store, listing, numbers)}
    return dataclasses.replace(data, flip=False, identity={**data.identity, **known})


def read_iterable(dataset: IterableDataset[Any]) -> list[Any]:
    """The samples of an iterable Dataset, in memory. Raises UsageError for too many, or another second pass."""
    most = min((machine().memory_available or NEVER_FITS) // 4, NEVER_FITS)
    samples, held = [], 0
    for number, (image, label) in enumerate(_passed(dataset)):
        pixels = picture(image, number).copy()
        held += pixels.width * pixels.height * len(pixels.getbands())
        if held > most:
            raise UsageError(
                f"an iterable Dataset is held in memory, and this one has more than {most >> 20} MiB "
                f"({number:,} samples so far): a map-style Dataset, a folder or tar shards are read as they are needed"
            )
        samples.append((pixels, label))
    for number, (again, first) in enumerate(zip(_passed(dataset), samples, strict=False)):
        if not _alike(again, first, number):
            raise UsageError(
                f"a second pass over the iterable Dataset gave another sample {number}: its order or its images are "
                "drawn anew, and a run could not be resumed; give it unshuffled and without random transforms"
            )
    return samples


def split_sample(sample: Any, number: Any) -> tuple[Any, Any]:
    """Image and label of a sample: a pair, or a mapping with ``image`` and ``label``. Raises UsageError."""
    if isinstance(sample, Mapping) and {"image", "label"} <= set(sample):
        image, label = sample["image"], sample["label"]
    elif isinstance(sample, tuple | list) and len(sample) == 2:
        image, label = sample
    else:
        raise UsageError(f"sample {number} is a {type(sample).__name__}, not (image, label)")
    if isinstance(label, torch.Tensor | np.ndarray | np.generic):
        values = as_array(label)
        if values.size != 1:
            raise UsageError(
                f"the label of sample {number} has the shape {values.shape}: one class an image is trained"
            )
        label = values.item()
    return image, label


def picture(image: Any, number: Any) -> Image.Image:
    """The image of a sample, as Pillow's: of Pillow's, of uint8 (H, W), (H, W, C) or (C, H, W), or what ToTensor made.

    Raises UsageError for anything else.
    """
    if isinstance(image, Image.Image):
        return image
    if not isinstance(image, np.ndarray | torch.Tensor):
        raise UsageError(
            f"the image of sample {number} is a {type(image).__name__}, not Pillow's, an array or a tensor"
        )
    values = as_array(image)
    if values.dtype.kind == "f":
        values = _levels(values, number)
    if values.ndim == 3 and (values.shape[0] in CHANNELS) != (values.shape[2] in CHANNELS):
        values = values.transpose(1, 2, 0) if values.shape[0] in CHANNELS else values
        values = values[..., 0] if values.shape[2] == 1 else values
    elif values.ndim != 2:
        raise UsageError(
            f"the image of sample {number} is neither (H, W), (H, W, C) nor (C, H, W): {values.shape}"
        )
    if values.dtype != np.uint8 or 0 in values.shape:
        raise UsageError(f"the image of sample {number} is {values.dtype} {values.shape}, not uint8")
    return Image.fromarray(np.ascontiguousarray(values))


def _levels(values: np.ndarray, number: Any) -> np.ndarray:
    """The uint8 levels that ToTensor divided by 255."""
    levels = np.rint(values * 255)
    if (
        not (np.abs(values * 255 - levels) < 1e-2).all()
        or levels.min(initial=0) < 0
        or levels.max(initial=0) > 255
    ):
        raise UsageError(
            f"the image of sample {number} is {values.dtype} and not made of 256 levels: give the Dataset without "
            "Normalize and random transforms; residua normalises and augments by the recipe"
        )
    return levels.astype(np.uint8)


def _check_repeats(dataset: Any, name: str) -> None:
    if not len(dataset):
        raise UsageError(f"the {name} Dataset has no sample")
    for number in _looked_at(dataset):
        one, other = (_sample(dataset, number) for _ in range(2))
        if not _alike(one, other, number):
            raise UsageError(
                f"two readings of sample {number} of the {name} Dataset differ: leave its random transforms out; "
                "recipe.augmentation draws by the seed, so that a run can be resumed"
            )


def _labels(dataset: Any, name: str) -> np.ndarray:
    """The label of every sample, from the Dataset's own list of ``targets`` where it tells the same."""
    listed = getattr(dataset, "targets", None)
    if isinstance(listed, list | np.ndarray | torch.Tensor) and len(listed) == len(dataset):
        values = as_array(listed)
        if values.ndim == 1 and all(values[i] == _sample(dataset, i)[1] for i in _looked_at(dataset)):
            return values
    return np.array([_sample(dataset, i)[1] for i in range(len(dataset))])


def _names(dataset: Any, labels: np.ndarray) -> Sequence[str] | None:
    """The names that a Dataset gives to its classes 0, 1 ..., as torchvision's do."""
    names: Any = getattr(dataset, "classes", None)
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        return None
    whole = labels.dtype.kind in "iu" and labels.min(initial=0) >= 0
    return tuple(names) if whole and len(set(names)) == len(names) > labels.max(initial=0) else None


def _fingerprint(store: Samples, listing: Listing, labels: Sequence[np.ndarray]) -> dict[str, str]:
    paths = listing.paths
    chosen = np.unique(np.linspace(0, len(paths) - 1, min(len(paths), FINGERPRINTED)).astype(np.int64))

    def pixels(name: str) -> bytes:
        try:
            return store.contents(name).tobytes()
        except BadImage as error:
            return error.reason.encode()

    contents = (pixels(paths[i]) for i in chosen)
    of = f"labels, and the pixels of {len(chosen)} of the {len(paths)} samples"
    return {"of": of, "sha256": digest([*map(array_bytes, labels), *contents])}


def _looked_at(dataset: Any) -> list[int]:
    """The first, the last and a middle sample."""
    return sorted({0, len(dataset) // 2, len(dataset) - 1})


def _sample(dataset: Any, number: int) -> tuple[Any, Any]:
    with _theirs(f"sample {number} cannot be read"):
        sample = dataset[number]
    return split_sample(sample, number)


def _passed(dataset: IterableDataset[Any]) -> Iterator[tuple[Any, Any]]:
    """Image and label of every sample of one pass."""
    with _theirs("it cannot be read"):
        samples, number = iter(dataset), 0
    while True:
        with _theirs(f"sample {number} cannot be read"):
            sample = next(samples, _END)
        if sample is _END:
            return
        yield split_sample(sample, number)
        number += 1


@contextmanager
def _theirs(what: str) -> Iterator[None]:
    """The Dataset is somebody's code: whatever it raises is said in one line."""
    try:
        yield
    except ResiduaError:
        raise
    except Exception as error:
        raise ResiduaError(f"{what}: the Dataset raised {type(error).__name__}: {error}") from error


def _alike(one: tuple[Any, Any], other: tuple[Any, Any], number: int) -> bool:
    first, second = (picture(sample[0], number) for sample in (one, other))
    same = first.mode == second.mode and first.size == second.size and first.tobytes() == second.tobytes()
    return same and one[1] == other[1]
