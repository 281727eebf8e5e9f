"""An artifact: a network on its way to production, as one folder of ``artifact.json`` and the files of its format.

Anybody may have made the folder: reading it runs nothing and follows no path out of it. ``artifact.json`` says what
the network takes and answers, what was measured of it, and the SHA-256 of every file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from residua.errors import ResiduaError, UsageError
from residua.files import NEW, beside, clear, locked, make_folder, sweep, sync_folder, write_json
from residua.spec.check import Constraint, Count, Share
from residua.spec.stored import checked, read_stored

FILE = "artifact.json"
_MOST_TABLE = 16 << 20  # bytes of artifact.json
_MOST_FILE = 8 << 30  # bytes of a file of the model
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")  # of a file: no folder, nothing hidden
_MOST_NAME = 100
_OLD = ".residua-old"  # of the artifact that another is about to replace

Scale = tuple[float, ...]
Shape = Annotated[
    tuple[int, ...],
    Constraint("(channels, [depth,] height, width)", lambda s: len(s) in (3, 4) and min(s) > 0),
]
Digest = Annotated[str, Constraint("SHA-256", lambda text: bool(re.fullmatch("sha256:[0-9a-f]{64}", text)))]


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """What is done to pixels. The normalisation ``(pixel / 255 - mean) / std`` stands inside the model file."""

    mean: Scale  # a number a channel
    std: Scale
    resize: str = ""  # what has to be done before: images are brought to ``shape``


@dataclass(frozen=True, kw_only=True)
class Units:
    """Of a regression: a target is its output times ``std`` plus ``mean``."""

    mean: Scale
    std: Scale


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How far the artifact's answers are from those of the network that it was made of, in float32."""

    images: Count
    of: str  # what images
    max_error: float  # of an output, absolute
    relative_error: float  # the same as a share of the largest output
    tolerance: float | None  # of ``relative_error``; None: int8, which is judged by its accuracy
    max_probability_error: float | None  # of a classifier
    agreement: Share | None  # images with the same top class
    batch_sizes: tuple[int, ...]  # that were tried
    sizes: tuple[tuple[int, int], ...]  # other heights and widths that were tried
    folding_error: float  # of folding the norms, in float64, as a share of the largest output


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Top-1 before and after on the same test images. Shares; the interval is of ``after - before``, 95 %, paired."""

    images: Count
    of: str
    before: Share
    after: Share
    interval: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """What became of a wish for int8."""

    layers: Count  # that can be quantised
    quantized: Count
    left_float: tuple[str, ...]  # some that are not, by the names of the model file
    calibration_images: Count
    calibrated_on: str
    decided_on: Count  # images of the same kind
    max_drop: float  # points of accuracy that it may lose
    drop: float  # points that it lost there
    fallback: str | None = None  # why the artifact is float32 as a whole; its precision is fp32 then


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """What ``artifact.json`` says, and where it stands."""

    path: Path  # the folder
    schema: Literal[1] = 1
    name: str  # of the run or weight file that it was made of
    format: str
    precision: str
    computes: str  # what the precision means in this format
    task: str
    answers: Literal["classes", "numbers", "nothing"]
    labels: tuple[str, ...]  # of the outputs: classes, or the names of numbers
    shape: Shape  # of an image, without the batch
    dtype: Literal["uint8", "float32"] = "uint8"  # of what the model file takes
    dynamic_batch: bool
    dynamic_size: bool  # whether height and width may be others
    outputs: dict[str, tuple[str, ...]]  # name: names of the dimensions
    preprocessing: Preprocessing
    units: Units | None = None
    parity: Parity
    accuracy: Accuracy | None = None
    quantization: Quantization | None = None
    notes: tuple[str, ...] = ()  # what was assumed
    network: dict[str, Any]  # the spec
    provenance: dict[str, Any]  # run, digest of the weights, versions, machine, command
    digests: dict[str, Digest]  # of every other file, by name

    def to_dict(self) -> dict[str, Any]:
        """What ``artifact.json`` holds."""
        values = dataclasses.asdict(self)
        del values["path"]
        return values

    def file(self, name: str) -> Path:
        """A file of the model, whose digest was verified. Raises ResiduaError if the artifact has none of this name."""
        if name not in self.digests:
            raise ResiduaError(f"{self.path} is no artifact of the format {self.format}: it lists no {name}")
        return self.path / name


def is_artifact(path: str | Path) -> bool:
    """Whether a folder is an artifact; nothing of it is read."""
    return (Path(path) / FILE).is_file()


def read_artifact(path: str | Path) -> Artifact:
    """The artifact in a folder, its files verified against their digests.

    Raises UsageError if there is none, ResiduaError for a damaged file and for a name that leads out of the folder.
    """
    folder = Path(path)
    table = folder / FILE
    if not table.is_file():
        raise UsageError(f"{folder} is no artifact: it has no {FILE}")
    _no_larger(table, _MOST_TABLE)
    values = read_stored(table, dict[str, Any])
    artifact: Artifact = checked({**values, "path": folder}, Artifact, str(table))
    for name, digest in artifact.digests.items():
        if not _NAME.fullmatch(name) or len(name) > _MOST_NAME:
            raise ResiduaError(f"{table} is damaged: digests: {name!r} is no name of a file beside it")
        if sha256_of(folder / name) != digest:
            raise ResiduaError(f"{folder / name} is damaged: its bytes do not give the SHA-256 in {FILE}")
    return artifact


def sha256_of(path: Path) -> str:
    """``"sha256:..."`` of a plain file. Raises ResiduaError if it cannot be read or is too large."""
    _no_larger(path, _MOST_FILE)
    try:
        with path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as error:
        raise ResiduaError(f"cannot read {path}: {error.strerror or error}") from error


def digests_of(folder: Path) -> dict[str, str]:
    """The digests of the files in a folder, by name."""
    return {file.name: sha256_of(file) for file in sorted(folder.iterdir())}


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Raise UsageError if an artifact cannot be written at ``path``: only artifacts are ever replaced."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not is_artifact(path):
        raise UsageError(f"{path} exists and is not an artifact: choose another --out")
    if not overwrite:
        raise UsageError(f"{path} holds an artifact: --overwrite replaces it, another --out keeps it")


def write_artifact(path: Path, make: Callable[[Path], Artifact], *, overwrite: bool = False) -> Artifact:
    """Write an artifact, which appears whole by one rename.

    ``make(folder)`` writes the files of the model into a new folder and returns what ``artifact.json`` is to say.
    Raises UsageError as ``refuse_existing``, ResiduaError if the disk refuses or another process writes there; what
    ``make`` raises leaves nothing behind.
    """
    place = path.resolve()
    try:
        make_folder(place.parent)
        with locked(place):
            new, old = beside(place, NEW), beside(place, _OLD)
            if old.exists() and not place.exists():  # a writer was killed between its two renames
                old.rename(place)
            sweep(place.parent)
            refuse_existing(path, overwrite=overwrite)
            for leftover in (new, old):
                clear(leftover)
            try:
                new.mkdir()
                artifact = dataclasses.replace(make(new), path=path)
                write_json(new / FILE, artifact.to_dict())
                if place.exists():
                    place.rename(old)
                new.rename(place)
                sync_folder(place.parent)
            finally:
                if old.exists() and not place.exists():
                    old.rename(place)
                clear(new)
                clear(old)
    except OSError as error:
        raise ResiduaError(f"cannot write {path}: {error.strerror or error}") from error
    return artifact


def _no_larger(path: Path, limit: int) -> None:
    if not path.is_file():
        raise ResiduaError(f"{path} is missing or no plain file")
    if path.stat().st_size > limit:
        raise ResiduaError(f"{path} has {path.stat().st_size:,} bytes; up to {limit:,} are read")
