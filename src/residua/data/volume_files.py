"""Volumes in ``.npy`` files: (D, H, W) or (C, D, H, W), read at each use through the system's cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from residua.data.batches.keyed import generator
from residua.data.decoding import log, look_at, say_skipped
from residua.data.division import check_classes, divide, file_digests, fingerprint, split_hash
from residua.data.image import BadImage, image_name
from residua.data.listing import list_folder
from residua.data.loaded import Data, identified
from residua.errors import ResiduaError
from residua.machine import usable_cores
from residua.spec import DataSpec

MEASURED = 500  # training volumes that mean and std are of
MAX_VALUES = 1 << 27  # of a volume, 512 MB as float32: a sparse file of a few bytes may claim any number
HASHED = 64 << 20  # bytes of files whose contents are hashed; of a larger set, names and sizes

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the files of a set become tensors."""

    root: Path
    shape: Shape  # (C, D, H, W)
    bytes: bool  # every file is uint8
    strict: bool  # raise at the first bad file instead of leaving it out

    def read(self, path: str) -> torch.Tensor:
        """The volume (C, D, H, W), uint8 or float32. Raises BadImage."""
        name = str(self.root / path)
        return torch.from_numpy(volume_of(open_volume(self.root / path), self.shape, name, bytes=self.bytes))


class VolumeSplit:
    """Volumes of a folder, read when they are asked for; what cannot be read is left out and listed."""

    def __init__(self, reading: Reading, files: Sequence[str], labels: np.ndarray) -> None:
        self.labels = labels.astype(np.int64)
        self.left_out: dict[int, str] = {}
        self._reading = reading
        self._files = files

    def __len__(self) -> int:
        return len(self.labels)

    def paths(self) -> list[str]:
        """The file of each volume."""
        return [str(self._reading.root / path) for path in self._files]

    def read(self, positions: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Volumes (B, C, D, H, W), uint8 or float32, and labels int64 (B,) of the readable files."""
        volumes, kept = [], []
        for position in map(int, positions):
            if position in self.left_out:
                continue
            try:
                volumes.append(self._reading.read(self._files[position]))
                kept.append(position)
            except BadImage as error:
                if self._reading.strict:
                    raise
                self.left_out[position] = error.reason
                log.warning("skipped %s: %s", image_name(self._files[position]), error.reason)
        empty = torch.empty(0, *self._reading.shape, dtype=torch.uint8)
        return torch.stack(volumes) if volumes else empty, torch.from_numpy(self.labels[kept])


def volume_data(spec: DataSpec, root: Path, threads: int = 0) -> Data:
    """``Data`` of a folder of volumes; ``threads`` look at its files (0: one for each usable core).

    Raises ResiduaError for a folder without two classes of readable volumes, or whose volumes have several shapes;
    UsageError for fractions that leave nothing to test; with ``spec.strict``, BadImage at the first bad file.
    """
    threads = threads or usable_cores()
    listing = list_folder(root, {".npy"}, "volume")
    shape, kinds, skipped, size = _look(root, listing.paths, spec.strict, threads)
    reading = Reading(root=root, shape=shape, bytes=kinds == {np.dtype(np.uint8)}, strict=spec.strict)
    divided, come_from = divide(listing, set(skipped), spec)
    parts = {name: VolumeSplit(reading, part.paths, part.labels) for name, part in divided.items()}
    check_classes(listing, parts["train"], skipped)
    mean, std, seen = _mean_std(parts["train"], reading)
    scaled = ", scaled to [0, 1]" if reading.bytes else ""
    digests = file_digests(root, listing.paths, threads, contents=size <= HASHED)
    return identified(
        spec,
        path=root,
        storage="stream",
        classes=listing.classes,
        shape=shape,
        parts=parts,
        mean=mean,
        std=std,
        pad=0,  # what may be shifted or mirrored is not known of volumes: the recipe's crop_flip says it
        flip=False,
        fingerprint=fingerprint(listing.paths, digests, contents=size <= HASHED),
        splits=come_from,
        split_sha256=split_hash(divided, skipped),
        mean_std_of=f"{seen} of {len(parts['train'])} training volumes, after the validation split",
        preprocessing=f"none: {', '.join(sorted(map(str, kinds)))} as stored{scaled}",
        skipped=[
            {"path": image_name(path), "reason": reason}
            for path, reason in sorted({**listing.left_out, **skipped}.items())
        ],
    )


def open_volume(path: Path) -> np.ndarray:
    """The array in a file, not yet read. Raises BadImage: nothing is ever unpickled."""
    if path.exists() and not path.is_file():
        raise BadImage(str(path), "not a regular file")  # opening a pipe would wait for ever
    try:
        with np.errstate(over="ignore"):  # a header may claim more than a number can say
            array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise BadImage(str(path), error.strerror or str(error)) from error
    except (
        ValueError,
        EOFError,
        SyntaxError,
        TypeError,
        OverflowError,
        MemoryError,
        RecursionError,
    ) as error:
        foreign = any(word in str(error) for word in ("pickle", "objects"))  # numpy never unpickles here
        why = "it is no .npy file, or holds pickled objects" if foreign else "it is damaged"
        raise BadImage(str(path), why) from error
    return check_volume(array, str(path))


def check_volume(array: np.ndarray, name: str) -> np.ndarray:
    """The array itself, if it can be a volume. Raises BadImage that names it."""
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "buif":
        raise BadImage(name, f"it holds {getattr(array, 'dtype', 'no array')}, not real numbers")
    if array.ndim not in (3, 4) or 0 in array.shape:
        raise BadImage(name, f"its shape is {shape_text(array.shape)}, not D x H x W or C x D x H x W")
    if array.size > MAX_VALUES:
        raise BadImage(
            name, f"its shape is {shape_text(array.shape)}: a volume has {MAX_VALUES:,} numbers at most"
        )
    return array


def volume_of(array: np.ndarray, shape: Shape, name: str, *, bytes: bool) -> np.ndarray:
    """A copy of the volume (C, D, H, W) of ``shape``: uint8 if ``bytes``, else float32. Raises BadImage."""
    if shape_of(array) != shape:  # before anything is copied
        raise BadImage(name, f"its shape is {shape_text(shape_of(array))}, not {shape_text(shape)}")
    with np.errstate(over="ignore"):
        volume = np.array(array, dtype=np.uint8 if bytes else np.float32).reshape(shape)
    if not bytes and not np.isfinite(volume).all():
        raise BadImage(name, "it holds numbers that are not finite")
    return volume


def _look(
    root: Path, paths: Sequence[str], strict: bool, threads: int
) -> tuple[Shape, set[np.dtype], dict[str, str], int]:
    """The one shape (C, D, H, W) of all volumes, their types, the bad files with reasons, and the bytes in all."""

    def look(path: str) -> tuple[Shape, np.dtype, int]:
        array = open_volume(root / path)
        return shape_of(array), array.dtype, array.nbytes

    found, skipped = look_at(root, paths, look, strict=strict, threads=threads)
    say_skipped(skipped)
    seen: dict[Shape, str] = {}
    for path, (shape, _, _) in found.items():
        seen.setdefault(shape, path)
    kinds, size = {kind for _, kind, _ in found.values()}, sum(size for _, _, size in found.values())
    if not seen:
        raise ResiduaError(f"{root} has no readable volume; the first: {next(iter(skipped.items()))}")
    if len(seen) > 1:
        (one, first), (other, second), *_ = seen.items()
        raise ResiduaError(
            f"the volumes of {root} must have one shape: {image_name(first)} is {shape_text(one)}, "
            f"{image_name(second)} is {shape_text(other)}"
        )
    return next(iter(seen)), kinds, skipped, size


def _mean_std(split: VolumeSplit, reading: Reading) -> tuple[tuple[float, ...], tuple[float, ...], int]:
    """Mean and standard deviation per channel, to six digits (no order of sums shows), and of how many volumes."""
    chosen = np.arange(len(split))
    if len(chosen) > MEASURED:
        chosen = np.sort(generator(0, "measure").choice(len(chosen), MEASURED, replace=False))
    sums, seen = np.zeros((2, reading.shape[0])), 0
    for position in chosen:
        volume, labels = split.read(np.array([position]))
        if len(labels):
            values = volume[0].flatten(1).double().numpy() / (255 if reading.bytes else 1)
            sums += np.stack([values.mean(1), np.square(values).mean(1)])
            seen += 1
    if not seen:
        raise ResiduaError("no volume of the training part can be read")
    mean, square = sums / seen
    std = np.sqrt(np.maximum(square - mean**2, 0))
    rounded = [[float(f"{value:.6g}") for value in values] for values in (mean, std)]
    return tuple(rounded[0]), tuple(value or 1.0 for value in rounded[1]), seen


def shape_of(array: np.ndarray) -> Shape:
    """(C, D, H, W) of an array that may lack C."""
    return array.shape if array.ndim == 4 else (1, *array.shape)


def shape_text(shape: Shape) -> str:
    """A shape as messages show it."""
    return "x".join(map(str, shape)) or "a single number"
