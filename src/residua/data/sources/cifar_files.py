"""CIFAR-10 and CIFAR-100 in both official layouts, extracted or still inside the official archive.

The pickled layout is read without unpickling (see ``cifar_pickle``); an archive is read in memory, without extracting.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np

from residua.data.cifar_pickle import as_array, read_dictionary
from residua.errors import ResiduaError, UsageError
from residua.parts import register
from residua.pickled import UnreadablePickle
from residua.spec import DataSource, DataSpec

PIXELS = 3 * 32 * 32
MAX_FILE = 200 << 20  # bytes; the largest official file, CIFAR-100's training part, has 155 MB
MAX_ARCHIVE = 400 << 20  # bytes unpacked; the official ones have 186 MB
MAX_MEMBERS = 100  # of an archive; the official ones have 8 at most, folder included


@dataclass(frozen=True, kw_only=True)
class OfficialLayout:
    """The names that one official layout gives its archive, folder, files and keys."""

    kind: str
    archive: str
    folder: str
    train: tuple[str, ...]
    test: str
    meta: str
    labels: str = ""  # pickled: the key of the labels in a batch,
    classes: str = ""  # and of the class names in the meta file
    label_bytes: int = 0  # binary: bytes before the pixels, of which the last is the label

    @property
    def files(self) -> tuple[str, ...]:
        """Every file of the layout."""
        return (*self.train, self.test, self.meta)


_BATCHES = tuple(f"data_batch_{i}" for i in range(1, 6))
# fmt: off
LAYOUTS = (
    OfficialLayout(
        kind="cifar10", archive="cifar-10-python.tar.gz", folder="cifar-10-batches-py",
        train=_BATCHES, test="test_batch", meta="batches.meta", labels="labels", classes="label_names",
    ),
    OfficialLayout(
        kind="cifar10", archive="cifar-10-binary.tar.gz", folder="cifar-10-batches-bin",
        train=tuple(f"{name}.bin" for name in _BATCHES), test="test_batch.bin", meta="batches.meta.txt", label_bytes=1,
    ),
    OfficialLayout(
        kind="cifar100", archive="cifar-100-python.tar.gz", folder="cifar-100-python",
        train=("train",), test="test", meta="meta", labels="fine_labels", classes="fine_label_names",
    ),
    OfficialLayout(
        kind="cifar100", archive="cifar-100-binary.tar.gz", folder="cifar-100-binary",
        train=("train.bin",), test="test.bin", meta="fine_label_names.txt", label_bytes=2,
    ),
)
# fmt: on


@dataclass(frozen=True, kw_only=True)
class _Cifar(DataSource):
    path: str

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return any(layout.kind == cls.kind for layout, _ in find_cifar(path))

    def load(self, spec: DataSpec, *, threads: int = 0, storage: str | None = None) -> Any:
        return load_cifar(spec, Path(self.path).expanduser())


@register
@dataclass(frozen=True, kw_only=True)
class Cifar10(_Cifar):
    """CIFAR-10."""

    kind: ClassVar[str] = "cifar10"


@register
@dataclass(frozen=True, kw_only=True)
class Cifar100(_Cifar):
    """CIFAR-100, with its fine labels."""

    kind: ClassVar[str] = "cifar100"


def find_cifar(path: Path) -> list[tuple[OfficialLayout, Path]]:
    """The layouts that lie at ``path`` (a layout's folder, the folder around it or around an archive, an archive).

    Each comes with the folder or archive that holds it; extracted ones stand before archives.
    """
    if path.is_file():
        return [(layout, path) for layout in LAYOUTS if path.name == layout.archive]
    places = [(layout, place) for layout in LAYOUTS for place in (path, path / layout.folder)]
    found = [(layout, place) for layout, place in places if _has_batches(layout, place)]
    archives = [(layout, path / layout.archive) for layout in LAYOUTS]
    return found + [(layout, archive) for layout, archive in archives if archive.is_file()]


def _has_batches(layout: OfficialLayout, folder: Path) -> bool:
    return any((folder / name).is_file() for name in (*layout.train, layout.test))


def load_cifar(spec: DataSpec, path: Path) -> Any:
    """CIFAR-10 or CIFAR-100 as uint8 (3, 32, 32), by the kind of the spec's source.

    Raises UsageError if neither a layout nor an archive of it lies at ``path``, ResiduaError naming the file that is
    missing, truncated, damaged or refused.
    """
    import torch

    from residua.data.arrays import array_data

    kind = spec.source.kind
    candidates = [layout for layout in LAYOUTS if layout.kind == kind]
    found = [item for item in find_cifar(path) if item[0] in candidates]
    place = path  # an archive under another name, if nothing is found: its contents tell the layout
    if found:
        candidates, place = [found[0][0]], found[0][1]
    elif not path.is_file():
        names = " or ".join(f"{layout.folder}/ or {layout.archive}" for layout in candidates)
        raise UsageError(f"{path} holds no {kind}: it should hold {names}")
    files = _archived(place, candidates) if place.is_file() else _extracted(place, candidates[0])
    layout = next((layout for layout in candidates if set(files) & set(layout.files)), None)
    if layout is None:
        raise ResiduaError(f"{place} is not an archive of {kind}: it holds none of its files")
    missing = [name for name in layout.files if name not in files]
    if missing:
        raise ResiduaError(f"{place} lacks {', '.join(missing)}: extract or download it again")
    classes = _classes(layout, files[layout.meta], f"{place}/{layout.meta}")
    batches = [
        _batch(layout, files[name], len(classes), f"{place}/{name}") for name in (*layout.train, layout.test)
    ]
    rows = np.concatenate([rows for rows, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    count = len(labels) - len(batches[-1][1])
    return array_data(
        spec,
        path=place,
        classes=classes,
        images=torch.from_numpy(rows).view(-1, 3, 32, 32),
        labels=labels,
        train=np.arange(count),
        test=np.arange(count, len(labels)),
        test_is=f"the official {layout.test}",
        pad=4,
        flip=True,
    )


def _extracted(folder: Path, layout: OfficialLayout) -> dict[str, bytes]:
    files = {}
    for name in layout.files:
        path = folder / name
        try:
            if path.is_file():
                _check_size(path.stat().st_size, path)
                files[name] = path.read_bytes()
            if sum(map(len, files.values())) > MAX_ARCHIVE:
                raise ResiduaError(f"{folder} is refused: it holds more than {MAX_ARCHIVE >> 20} MiB")
        except OSError as error:
            raise ResiduaError(f"cannot read {path}: {error.strerror or error}") from error
    return files


def _archived(archive: Path, layouts: Iterable[OfficialLayout]) -> dict[str, bytes]:
    """The files of the first of ``layouts`` that the archive holds. Member names are compared, never used as paths."""
    wanted = {(layout.folder, name) for layout in layouts for name in layout.files}
    files: dict[str, bytes] = {}
    try:
        with (
            gzip.open(archive) as unzipped,
            tarfile.open(fileobj=_Bounded(unzipped), mode="r|") as members,
        ):
            for number, member in enumerate(members):
                if number >= MAX_MEMBERS:
                    raise ResiduaError(f"{archive} is refused: it holds over {MAX_MEMBERS} files")
                path = PurePosixPath(member.name)
                if member.isreg() and (path.parent.name, path.name) in wanted:
                    _check_size(member.size, archive)
                    content = members.extractfile(member)
                    files[path.name] = content.read() if content else b""
    except (OSError, EOFError, zlib.error, tarfile.TarError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ResiduaError(f"{archive} is damaged ({reason}): download it again") from error
    return files


class _Bounded(io.RawIOBase):
    """A file that ends in an error after MAX_ARCHIVE bytes: a small archive may unpack to any size."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file
        self._left = MAX_ARCHIVE

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise OSError(f"it unpacks to more than {MAX_ARCHIVE >> 20} MiB")
        return data


def _check_size(size: int, path: Path) -> None:
    if size > MAX_FILE:
        raise ResiduaError(f"{path} is refused: a file of {size >> 20} MiB is larger than any of CIFAR's")


def _classes(layout: OfficialLayout, content: bytes, where: str) -> tuple[str, ...]:
    if layout.label_bytes:
        names: object = content.decode("latin-1").split()
    else:
        names = _pickle(content, where).get(layout.classes)
    expected = 100 if layout.kind == "cifar100" else 10
    if not isinstance(names, list) or len(names) != expected:
        raise ResiduaError(f"{where} should name {expected} classes")
    texts = [name.decode("latin-1") if isinstance(name, bytes) else name for name in names]
    if not all(isinstance(text, str) for text in texts):
        raise ResiduaError(f"{where} should name {expected} classes")
    return tuple(texts)


def _batch(layout: OfficialLayout, content: bytes, classes: int, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels uint8 (N, 3072) and labels int64 (N,) of one file."""
    if layout.label_bytes:
        record = layout.label_bytes + PIXELS
        if len(content) % record:
            raise ResiduaError(
                f"{where} is truncated: {len(content)} bytes are no whole number of {record}-byte records"
            )
        records = np.frombuffer(content, np.uint8).reshape(-1, record)
        rows, labels = records[:, layout.label_bytes :], records[:, layout.label_bytes - 1].astype(np.int64)
    else:
        values = _pickle(content, where)
        try:
            rows, labels = as_array(values.get("data")), as_array(values.get(layout.labels)).astype(np.int64)
        except UnreadablePickle as error:
            raise ResiduaError(f"{where} is not a CIFAR batch: {error}") from error
        if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != PIXELS:
            raise ResiduaError(f"{where} holds {rows.dtype} {rows.shape}, not uint8 rows of {PIXELS} pixels")
        if labels.shape != (len(rows),):
            raise ResiduaError(f"{where} has {len(rows)} images and labels of shape {labels.shape}")
    if len(labels) == 0:
        raise ResiduaError(f"{where} holds no image")
    if labels.min() < 0 or labels.max() >= classes:
        raise ResiduaError(
            f"{where} has labels from {labels.min()} to {labels.max()}, not 0 to {classes - 1}"
        )
    return rows, labels


def _pickle(content: bytes, where: str) -> Mapping[str | int, object]:
    try:
        return read_dictionary(content)
    except UnreadablePickle as error:
        raise ResiduaError(f"{where}: {error}") from error
