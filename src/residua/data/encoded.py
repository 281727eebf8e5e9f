"""Encoded images with classes, wherever they lie: what they are decoded to, and in memory or at each reading.

A set that fits is decoded once into memory and augmented a batch at a time; a larger one is decoded as it is read. The
test part is always read from where it lies, at the end.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from residua.data.batches.keyed import generator
from residua.data.decoding import Decoding, EncodedSplit, Store, log, look_at, sample, say_skipped
from residua.data.division import (
    Labelled,
    check_classes,
    check_one_class,
    divide,
    file_digests,
    fingerprint,
    split_hash,
)
from residua.data.image import GREY_MODES, SMALL, image_name, open_image
from residua.data.listing import HIDDEN, Listing, checked
from residua.data.loaded import Data, identified
from residua.data.splits import ArraySplit, Split, mean_std
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


def encoded_data(
    spec: DataSpec,
    listing: Listing,
    store: Store,
    *,
    threads: int = 0,
    storage: str | None = None,
    files: Sequence[str] | None = None,
) -> Data:
    """``Data`` of listed images, whose bytes are in ``store``.

    ``threads`` decode (0: one for each usable core); ``storage`` is ``memory`` or ``stream``, or None to decide by
    the available memory; ``files`` hold the images, if they are no files themselves. Raises ResiduaError without two
    classes of readable images, UsageError for fractions that leave nothing to test; with ``spec.strict``, BadImage at
    the first bad image.
    """
    threads = threads or usable_cores()
    headers, skipped = read_headers(listing, store, spec.strict, threads)
    _say_left_out(listing)
    say_skipped(skipped)
    size = spec.image_size or _native_size(headers)
    channels = 1 if all(grey for _, grey in headers) else 3
    decoding = Decoding(
        root=listing.root, store=store, size=size, channels=channels, threads=threads, strict=spec.strict
    )
    divided, come_from = divide(listing, set(skipped), spec)
    fitted = {
        name: divided[name] for name in ("train", "val") if name in divided
    }  # what is read again and again
    storage = storage or _storage(sum(len(part.paths) for part in fitted.values()) * size * size * channels)
    parts: dict[str, Split] = {
        name: EncodedSplit(decoding, part.paths, part.labels) for name, part in divided.items()
    }
    if storage == "memory":
        in_memory, bad = _in_memory(decoding, fitted)
        parts.update(in_memory)
        skipped.update(bad)
        check_classes(listing, parts["train"], skipped)
        whole = "val" in parts and "val" not in listing.parts  # validation images were training images
        mean, std, seen = mean_std(parts["train"], *([parts["val"]] if whole else []))
        measured_on = f"all {seen} training images, before the validation split"
    else:
        check_classes(listing, parts["train"], skipped)
        mean, std, seen = mean_std(parts["train"], at_most=MEASURED)
        measured_on = f"{seen} of {len(parts['train'])} training images, after the validation split"
    whole_files = storage == "memory"
    files_are = listing.paths if files is None else files
    digests = file_digests(listing.root, files_are, threads, contents=whole_files)
    if whole_files and files is None:
        check_one_class(listing, digests, skipped)
    return identified(
        spec,
        path=listing.root,
        storage=storage,
        classes=listing.classes,
        shape=(channels, size, size),
        parts=parts,
        mean=mean,
        std=std,
        pad=size // 8 if storage == "memory" else 0,  # a streaming image is cropped before it is resized
        flip=True,
        channels_are=f"{'grey' if channels == 1 else 'colour'}, by {len(headers)} images",
        fingerprint=fingerprint(files_are, digests, contents=whole_files),
        splits=come_from,
        split_sha256=split_hash(divided, skipped),
        mean_std_of=measured_on,
        preprocessing=PREPROCESSING[size < SMALL].format(size=size),
        skipped=[
            {"path": image_name(path), "reason": reason}
            for path, reason in sorted({**listing.left_out, **skipped}.items())
        ],
    )


def read_headers(
    listing: Listing, store: Store, strict: bool, threads: int
) -> tuple[list[tuple[tuple[int, int], bool]], dict[str, str]]:
    """Size and greyness of the images (of a sample, if there are many), and the files that are none.

    Raises ResiduaError if none can be read, or nothing can be trained on the listing; if ``strict``, BadImage at the
    first that cannot be read.
    """
    paths = checked(listing).paths
    if len(paths) > LOOKED_AT:
        chosen = sample(len(paths), store.blocks(paths), generator(0, "look"), LOOKED_AT)
        paths = [paths[i] for i in chosen]

    def look(name: str) -> tuple[tuple[int, int], bool]:
        with open_image(store.contents(name)) as image:
            return image.size, image.mode in GREY_MODES

    headers, skipped = look_at(listing.root, paths, look, strict=strict, threads=threads)
    if not headers:
        raise ResiduaError(f"{listing.root} has no readable image; the first: {next(iter(skipped.items()))}")
    return list(headers.values()), skipped


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


def _say_left_out(listing: Listing) -> None:
    """A line for each class folder that is none, and one for all files that nobody would take for images."""
    others = [path for path, reason in listing.left_out.items() if reason != HIDDEN]
    for path in [path for path in others if path.endswith("/")]:
        others.remove(path)
        log.warning("left out %s: %s", image_name(path), listing.left_out[path])
    if others:
        first = image_name(others[0])
        reason = listing.left_out[others[0]]
        log.warning(
            "left out %d files that are not in the set; the first is %s: %s", len(others), first, reason
        )


def _in_memory(
    decoding: Decoding, parts: dict[str, Labelled]
) -> tuple[dict[str, ArraySplit], dict[str, str]]:
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
