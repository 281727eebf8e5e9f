"""From arrays of images to ``Data``: what every source that is small enough for memory does at its end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from residua.data.identity import array_bytes, digest
from residua.data.loaded import Data, identified
from residua.data.splits import ArraySplit, mean_std, stratified_split
from residua.errors import UsageError
from residua.spec import DataSpec


def array_data(
    spec: DataSpec,
    *,
    classes: tuple[str, ...],
    images: torch.Tensor,  # uint8 (N, C, H, W) or (N, C, D, H, W); training and test together
    labels: np.ndarray,  # int64 (N,)
    train: np.ndarray,  # positions of the training images, before validation images are split off
    test: np.ndarray,
    test_is: str,  # where the test part comes from, in words
    path: Path | None = None,  # None: shipped with the package, or made
    pad: int = 0,  # the data's own habits of augmentation, as of ``Data``
    flip: bool = False,
) -> Data:
    """``Data`` of one array. Raises UsageError if the spec wants another image size than the array's."""
    if spec.image_size not in (None, images.shape[-1]):
        raise UsageError(
            f"{spec.source.kind} images are {images.shape[-1]} px; image_size {spec.image_size} is for folders of "
            "images"
        )
    rest, part = stratified_split(labels[train], spec.val_fraction, spec.split_seed)
    places = {"train": train[rest], "val": train[part], "test": test}
    pixels = images.movedim(1, -1).contiguous()  # channels last: one image is one run of bytes
    images = pixels.movedim(-1, 1)
    parts = {name: ArraySplit(images, labels, place) for name, place in places.items()}
    mean, std, _ = mean_std(parts["train"], parts["val"])
    contents = digest([array_bytes(pixels.numpy()), array_bytes(labels)])
    return identified(
        spec,
        path=path,
        storage="memory",
        classes=classes,
        shape=tuple(images.shape[1:]),
        parts=parts,
        mean=mean,
        std=std,
        pad=pad,
        flip=flip,
        fingerprint={"of": "pixels and labels", "sha256": contents},
        splits={
            "val": f"{spec.val_fraction:g} of every class of the training images, split seed {spec.split_seed}",
            "test": test_is,
        },
        split_sha256=digest(array_bytes(place.astype("<i8")) for place in places.values()),
        mean_std_of=f"all {len(train)} training images, before the validation split",
        preprocessing="none: the stored pixels",
        skipped=[],
    )
