"""What a program hands to ``fit``: arrays ``(X, y)``, a torch ``Dataset`` or ``DataLoader``, or loaded data."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset

from residua.data.arrays import array_data
from residua.data.class_numbers import numbered
from residua.data.decoding import log
from residua.data.layout import Layout, as_array, channels_last
from residua.data.loaded import AnyData, Data
from residua.data.sources.arrays import Arrays
from residua.data.splits import stratified_split
from residua.data.torch_datasets import dataset_data, read_iterable
from residua.errors import UsageError
from residua.spec import DataSpec

TAKEN = "data are a path, kind:path, a DataSpec, what load_data returns, arrays (X, y), a torch Dataset or a DataLoader"


@runtime_checkable
class MapStyle(Protocol):
    """What has samples by number, as a map-style Dataset or a list."""

    def __len__(self) -> int: ...
    def __getitem__(self, number: int, /) -> Any: ...


def data_of(
    given: Any,
    *,
    test: Any = None,
    classes: Sequence[str] | None = None,
    layout: Layout | None = None,
    **changes: Any,
) -> Data:
    """``Data`` for ``fit`` of arrays ``(X, y)``, a torch Dataset or a DataLoader.

    Args:
        given: images uint8 (N, H, W), (N, H, W, C) or (N, C, H, W), with the class of each, (N,) whole numbers or
            texts; or a Dataset whose samples are (image, label). Of a DataLoader the dataset alone is used.
        test: the same kind of thing, to test on; by default a seeded fifth of every class is held out.
        classes: the names of the classes 0, 1 ...; by default the numbers or texts themselves, sorted.
        layout: ``"NHWC"`` or ``"NCHW"``, for arrays whose shape does not tell.
        changes: fields of the ``DataSpec``, such as ``val_fraction``, ``image_size`` or ``split_seed``.

    Images are shifted by up to an eighth of their side in training, and not mirrored: that may make another class.
    A memory-mapped X in the layout NHWC is read from its file, batch by batch. Raises UsageError for what is none of
    these, types and shapes that do not suit, and a Dataset whose samples or order are not the same at each reading.
    """
    spec = DataSpec(source=Arrays()).change(**changes)
    if is_pair(given):
        return _of_arrays(spec, given, test, classes, layout)
    parts = [_dataset(each) for each in (given, test) if each is not None]
    return dataset_data(spec, parts, classes)


def as_data(given: Any) -> AnyData:
    """Loaded data as they are; anything else that a program holds by ``data_of``. Raises UsageError."""
    return given if isinstance(given, AnyData) else data_of(given)


def is_pair(given: Any) -> bool:
    """Whether it is a tuple of two arrays. Raises UsageError for one of two Datasets."""
    pair = isinstance(given, tuple) and len(given) == 2
    if pair and any(isinstance(each, Dataset | DataLoader) for each in given):
        raise UsageError(
            "a pair is of arrays (X, y); a Dataset to test on is named: data_of(train, test=...)"
        )
    return pair


def _of_arrays(
    spec: DataSpec, given: Any, test: Any, classes: Sequence[str] | None, layout: Layout | None
) -> Data:
    if test is not None and not is_pair(test):
        raise UsageError(f"test is a pair (X, y) as the training images are, not a {type(test).__name__}")
    pairs = [_checked(pair, layout) for pair in (given, test) if pair is not None]
    numbers, names = numbered([labels for _, labels in pairs], classes)
    if test is None:
        images, labels = pairs[0][0], numbers[0]
        rest, held = stratified_split(labels, spec.test_fraction, spec.split_seed)
        test_is = f"{spec.test_fraction:g} of every class of the images given, split seed {spec.split_seed}"
    else:
        if pairs[0][0].shape[1:] != pairs[1][0].shape[1:]:
            raise UsageError(
                f"training images are {pairs[0][0].shape[1:]}, those to test on {pairs[1][0].shape[1:]}"
            )
        images, labels = (np.concatenate(each) for each in ([x for x, _ in pairs], numbers))
        rest, held = np.split(np.arange(len(labels)), [len(numbers[0])])
        test_is = "the test images given"
    if not len(held):
        raise UsageError("nothing is left to test on: give test=(X, y), more images, or a test_fraction")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")  # nobody writes to it
        pixels = torch.from_numpy(np.ascontiguousarray(images)).movedim(-1, 1)
    pad = images.shape[1] // 8
    return array_data(
        spec, classes=names, images=pixels, labels=labels, train=rest, test=held, test_is=test_is, pad=pad
    )


def _checked(pair: Any, layout: Layout | None) -> tuple[np.ndarray, np.ndarray]:
    images, labels = channels_last(pair[0], layout), as_array(pair[1])
    if labels.shape != (len(images),):
        hint = ": one-hot labels are y.argmax(1)" if labels.ndim == 2 else ""
        raise UsageError(f"y is the class of each of the {len(images)} images, not {labels.shape}{hint}")
    return images, labels


def _dataset(given: Any) -> Any:
    """The map-style dataset in what is given; a DataLoader's own order and workers are left aside, and that is said."""
    if isinstance(given, DataLoader):
        log.warning(
            "of the DataLoader its dataset is used; its order, batch size, workers and collate_fn are not: the recipe "
            "and the seed decide, so that a run can be resumed"
        )
        given = given.dataset
    if isinstance(given, IterableDataset):
        return read_iterable(given)
    if not isinstance(given, MapStyle) or isinstance(given, str | bytes | np.ndarray | torch.Tensor):
        raise UsageError(f"{TAKEN}, not a {type(given).__name__}")
    return given
