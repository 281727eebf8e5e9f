"""From arrays of images to ``Data``: what every source that is small enough for memory does at its end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from residua.data.identity import array_bytes, digest
from residua.data.loaded import ArraySplit, Data, mean_std, stratified_split
from residua.errors import UsageError
from residua.spec import DataSpec


def array_data(
    spec: DataSpec,
    *,
    kind: str,
    path: Path | None,  # None: shipped with the package
    classes: tuple[str, ...],
    images: torch.Tensor,  # uint8 (N, C, H, W) or (N, C, D, H, W), channels last in memory; training and test together
    labels: np.ndarray,  # int64 (N,)
    train: np.ndarray,  # positions of the training images, before validation images are split off
    test: np.ndarray,
    test_is: str,  # where the test part comes from, in words
    pad: int,
    flip: bool,
) -> Data:
    """``Data`` of one array. Raises UsageError if the spec wants another image size than the array's."""
    shape = tuple(images.shape[1:])
    channels, size = shape[0], shape[-1]
    if spec.image_size not in (None, size):
        raise UsageError(
            f"{kind} images are {size} px; image_size {spec.image_size} is for folders of images"
        )
    rest, part = stratified_split(labels[train], spec.val_fraction, spec.split_seed)
    places = {"train": train[rest], "val": train[part], "test": test}
    parts = {name: ArraySplit(images, labels, place) for name, place in places.items()}
    mean, std, _ = mean_std(parts["train"], parts["val"])
    pixels = images.movedim(1, -1).numpy()
    identity = {
        "source": spec.source,
        "path": None if path is None else str(path.resolve()),
        "kind": kind,
        "storage": "memory",
        "image_size": size,
        "channels": channels,
        "classes": list(classes),
        "counts": {name: len(split) for name, split in parts.items()},
        "fingerprint": {
            "of": "pixels and labels",
            "sha256": digest([array_bytes(pixels), array_bytes(labels)]),
        },
        "splits": {
            "val": f"{spec.val_fraction:g} of every class of the training images, split seed {spec.split_seed}",
            "test": test_is,
        },
        "split_sha256": digest(array_bytes(place.astype("<i8")) for place in places.values()),
        "mean": list(mean),
        "std": list(std),
        "mean_std_of": f"all {len(train)} training images, before the validation split",
        "preprocessing": "none: the stored pixels",
        "skipped": [],
    }
    return Data(
        kind=kind,
        spec=spec,
        classes=classes,
        shape=shape,
        train=parts["train"],
        val=parts["val"] if len(part) else None,
        test=parts["test"],
        mean=mean,
        std=std,
        pad=pad,
        flip=flip,
        identity=identity,
    )
