"""How listed files with classes are divided into parts, and the hashes that say which files they are."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from residua.data.identity import digest
from residua.data.image import image_name
from residua.data.listing import Listing, PartFiles
from residua.data.parallel import in_parallel
from residua.data.splits import Split, stratified_split
from residua.errors import ResiduaError, UsageError
from residua.spec import DataSpec

SEVERAL, SEVERAL_SHARE = 10, 0.1  # images in several classes that are still mistakes, and their share of all
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Files of one split, less those found bad."""

    paths: list[str]
    labels: np.ndarray


def divide(listing: Listing, skipped: set[str], spec: DataSpec) -> tuple[dict[str, Labelled], dict[str, str]]:
    """The files of ``train``, ``test`` and, if there is one, ``val``, and where each comes from in words.

    Raises UsageError if nothing is left to test on.
    """
    number = {name: i for i, name in enumerate(listing.classes)}

    def readable(files: PartFiles) -> Labelled:
        kept = [i for i, path in enumerate(files.paths) if path not in skipped]
        labels = np.array([number[files.classes[i]] for i in kept], dtype=np.int64)
        return Labelled(paths=[files.paths[i] for i in kept], labels=labels)

    parts = {name: readable(files) for name, files in listing.parts.items()}
    are = {name: files.where for name, files in listing.parts.items() if files.where}
    home = are.get("train", "the folder")
    if "test" not in parts and "val" in parts:  # the habit of ImageNet: what is called val is the test set
        parts["test"], are["test"] = parts.pop("val"), are.pop("val")
    for name, fraction in (("test", spec.test_fraction), ("val", spec.val_fraction)):
        if name not in parts:
            parts["train"], parts[name] = _cut(parts["train"], fraction, spec.split_seed)
            are[name] = f"{fraction:g} of every class of {home}, split seed {spec.split_seed}"
            home += f" less {name}"
    if not parts["test"].paths:
        raise UsageError(
            f"{listing.root} has nothing to test on: give it a test/ folder, more files, or test_fraction"
        )
    if not parts["val"].paths:
        del parts["val"], are["val"]
    return parts, are


def _cut(part: Labelled, fraction: float, seed: int) -> tuple[Labelled, Labelled]:
    rest, cut = (
        Labelled(paths=[part.paths[i] for i in chosen], labels=part.labels[chosen])
        for chosen in stratified_split(part.labels, fraction, seed)
    )
    return rest, cut


def check_classes(listing: Listing, train: Split, skipped: dict[str, str]) -> None:
    """Raise ResiduaError if a class has no readable file in the training part."""
    present = set(train.labels.tolist())
    files = listing.parts["train"]
    for i, name in enumerate(listing.classes):
        if i not in present:
            bad = [
                path
                for path, c in zip(files.paths, files.classes, strict=True)
                if c == name and path in skipped
            ]
            first = f"; {image_name(bad[0])}: {skipped[bad[0]]}" if bad else ""
            raise ResiduaError(
                f"class {name!r} has no readable {listing.what} to train on ({len(bad)} skipped{first})"
            )


def file_digests(root: Path, paths: Sequence[str], threads: int, *, contents: bool) -> list[bytes]:
    """A hash of each file's contents; or its size, where there are too many to be read once more."""

    def digest_of(path: str) -> bytes:
        try:
            if not (root / path).is_file():
                return b"no file"
            if not contents:
                return (root / path).stat().st_size.to_bytes(8, "little")
            with (root / path).open("rb") as file:
                return hashlib.file_digest(file, "sha256").digest()
        except OSError:
            return b"unreadable"

    return in_parallel(digest_of, paths, threads)


def fingerprint(paths: Sequence[str], digests: Sequence[bytes], *, contents: bool) -> dict[str, str]:
    """A hash of the files' names and contents, or of their names and sizes."""
    lines = (part for pair in zip(map(_encoded, paths), digests, strict=True) for part in pair)
    of = "file names and contents" if contents else "file names and sizes"
    return {"of": of, "sha256": digest(lines)}


def check_one_class(listing: Listing, digests: Sequence[bytes], skipped: Container[str]) -> None:
    """Warn of images that lie in several classes. Raises ResiduaError if so many do that they must have several labels.

    ``digests`` are of the contents of the listing's files.
    """
    places: dict[bytes, dict[str, str]] = {}  # of each image the first file in each class
    labels = [label for part in listing.parts.values() for label in part.classes]
    for path, label, contents in zip(listing.paths, labels, digests, strict=True):
        if path not in skipped:
            places.setdefault(contents, {}).setdefault(label, path)
    several = [list(files.values()) for files in places.values() if len(files) > 1]
    if not several:
        return
    first = " and ".join(map(image_name, several[0][:2]))
    found = f"{len(several)} of {len(places)} {listing.what}s lie in several classes, such as {first}"
    if len(several) > max(SEVERAL, SEVERAL_SHARE * len(places)):
        raise ResiduaError(
            f"{listing.root}: {found}: they have several labels, and one class an image is what is trained. Keep each "
            "in one folder; a table with a column of 0 and 1 for each label, csv:FILE, learns them as numbers"
        )
    log.warning("%s: one of the labels is wrong", found)


def split_hash(parts: dict[str, Labelled], skipped: dict[str, str]) -> str:
    """A hash of which files stand in which part."""
    named = (
        (name, *(path for path in part.paths if path not in skipped)) for name, part in sorted(parts.items())
    )
    return digest(_encoded(line) for lines in named for line in lines)


def _encoded(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
