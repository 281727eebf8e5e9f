"""A folder of images: ``<class>/*``, or ``train/``, ``val/`` and ``test/`` with class folders in each.

A set that fits is decoded once into memory and augmented a batch at a time; a larger one streams from its files. The
test part is always read from its files, at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from residua.data.batches.keyed import generator
from residua.data.decoding import Decoding, FileSplit, log
from residua.data.division import Part, check_classes, divide, fingerprint, in_parallel, split_hash
from residua.data.image import GREY_MODES, SMALL, BadImage, image_name, open_image
from residua.data.listing import Listing, list_folder
from residua.data.loaded import ArraySplit, Data, Split, mean_std
from residua.errors import ResiduaError
from residua.machine import machine, usable_cores
from residua.spec import DataSpec

LOOKED_AT = 5_000  # headers read to decide size and channels; of a larger folder, a seeded sample
MEASURED = 2_000  # images that mean and std of a streaming set are measured on
SURELY_FITS = 64 << 20  # bytes of decoded images; between this and
NEVER_FITS = 2 << 30  # this, a quarter of the available memory decides
PREPROCESSING = {
    True: "the largest centred square, resized to {size} px (bilinear, antialiased)",
    False: "the centred square with 7/8 of the shorter side, resized to {size} px (bilinear, antialiased)",
}


def load_folder(spec: DataSpec, path: Path, *, threads: int = 0, storage: str | None = None) -> Data:
    """``Data`` of a folder of images.

    ``threads`` decode (0: one for each usable core); ``storage`` is ``memory`` or ``stream``, or None to decide by
    the available memory. Raises ResiduaError for a folder without two classes of readable images, UsageError for
    fractions that leave nothing to test; with ``spec.strict``, BadImage at the first bad file.
    """
    threads = threads or usable_cores()
    listing = list_folder(path)
    headers, skipped = _look(listing, spec.strict, threads)
    size = spec.image_size or _native_size(headers)
    channels = 1 if all(grey for _, grey in headers) else 3
    decoding = Decoding(root=path, size=size, channels=channels, threads=threads, strict=spec.strict)
    parts, come_from = divide(listing, set(skipped), spec)
    fitted = {name: parts[name] for name in ("train", "val") if name in parts}  # what is read again and again
    storage = storage or _storage(sum(len(part.paths) for part in fitted.values()) * size * size * channels)
    splits: dict[str, Split] = {
        name: FileSplit(decoding, part.paths, part.labels) for name, part in parts.items()
    }
    if storage == "memory":
        in_memory, bad = _in_memory(decoding, fitted)
        splits.update(in_memory)
        skipped.update(bad)
        check_classes(listing, splits["train"], skipped)
        whole = "val" in splits and "val" not in listing.parts  # validation images were training images
        mean, std, seen = mean_std(splits["train"], *([splits["val"]] if whole else []))
        measured_on = f"all {seen} training images, before the validation split"
    else:
        check_classes(listing, splits["train"], skipped)
        mean, std, seen = mean_std(splits["train"], at_most=MEASURED)
        measured_on = f"{seen} of {len(splits['train'])} training images, after the validation split"
    identity = {
        "source": spec.source,
        "path": str(path.resolve()),
        "kind": "folder",
        "storage": storage,
        "image_size": size,
        "channels": channels,
        "channels_are": f"{'grey' if channels == 1 else 'colour'}, by {len(headers)} images",
        "classes": list(listing.classes),
        "counts": {name: len(split) for name, split in sorted(splits.items())},
        "fingerprint": fingerprint(listing, threads, contents=storage == "memory"),
        "splits": come_from,
        "split_sha256": split_hash(parts, skipped),
        "mean": list(mean),
        "std": list(std),
        "mean_std_of": measured_on,
        "preprocessing": PREPROCESSING[size < SMALL].format(size=size),
        "skipped": [{"path": image_name(p), "reason": reason} for p, reason in sorted(skipped.items())],
    }
    return Data(
        kind="folder",
        spec=spec,
        classes=listing.classes,
        shape=(channels, size, size),
        train=splits["train"],
        val=splits.get("val"),
        test=splits["test"],
        mean=mean,
        std=std,
        pad=size // 8 if storage == "memory" else 0,  # a streaming image is cropped before it is resized
        flip=True,
        identity=identity,
    )


def _look(
    listing: Listing, strict: bool, threads: int
) -> tuple[list[tuple[tuple[int, int], bool]], dict[str, str]]:
    """Size and greyness of the images (of a sample, if there are many), and the files that are none."""
    paths = np.array([path for files in listing.parts.values() for path in files.paths], dtype=object)
    if len(paths) > LOOKED_AT:
        paths = paths[np.sort(generator(0, "look").choice(len(paths), LOOKED_AT, replace=False))]
    headers, skipped = [], {}

    def look(path: str) -> tuple[tuple[int, int], bool] | BadImage:
        try:
            with open_image(listing.root / path) as image:
                return image.size, image.mode in GREY_MODES
        except BadImage as error:
            return error

    for path, found in zip(paths, in_parallel(look, paths, threads), strict=True):
        if not isinstance(found, BadImage):
            headers.append(found)
            continue
        if strict:
            raise found
        skipped[path] = found.reason
        log.warning("skipped %s: %s", image_name(path), found.reason)
    if not headers:
        raise ResiduaError(f"{listing.root} has no readable image; the first: {next(iter(skipped.items()))}")
    return headers, skipped


def _native_size(headers: Sequence[tuple[tuple[int, int], bool]]) -> int:
    """The images' own size if it is one small square, 64 if all are small, 224 otherwise."""
    sizes = {size for size, _ in headers}
    if max(map(max, sizes)) > SMALL:
        return 224
    width, height = next(iter(sizes))
    return width if len(sizes) == 1 and width == height else 64


def _storage(size: int) -> str:
    if size <= SURELY_FITS:
        return "memory"
    available = machine().memory_available
    return "memory" if available and size <= min(available // 4, NEVER_FITS) else "stream"


def _in_memory(decoding: Decoding, parts: dict[str, Part]) -> tuple[dict[str, ArraySplit], dict[str, str]]:
    """The parts, decoded into one array, and the files found bad."""
    paths = [path for part in parts.values() for path in part.paths]
    images, bad = decoding.read_all(paths, lambda i: decoding.read(paths[i]))
    labels = np.concatenate([part.labels for part in parts.values()])
    files = [str(decoding.root / path) for path in paths]
    splits, start = {}, 0
    for name, part in parts.items():
        end = start + len(part.paths)
        good = np.array([i for i in range(start, end) if i not in bad], dtype=np.int64)
        splits[name] = ArraySplit(images, labels, good, files)
        start = end
    return splits, {paths[i]: reason for i, reason in bad.items()}
