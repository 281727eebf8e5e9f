"""Where shards lie: a folder here, or any URL that fsspec reads. Files are listed, and read by position."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from residua.errors import ResiduaError, UsageError

ATTEMPTS = 3  # at reading from a network
MAX_SHARDS = 100_000  # that a pattern may stand for


class Place(Protocol):
    """A folder of files, by their names relative to it."""

    root: Path  # of the names in messages
    far: bool  # each reading waits for a network, so that several images should be read at once

    def files(self, suffix: str) -> list[str]:
        """Those that end so, in the folder and in those of it, sorted."""
        ...

    def stat(self, name: str) -> tuple[int, str]:
        """Bytes, and when it was changed. Raises ResiduaError."""
        ...

    def opened(self, name: str) -> AbstractContextManager[BinaryIO]:
        """The file, to be sought in. Raises ResiduaError, also for what fails while it is read."""
        ...

    def read(self, name: str, start: int, size: int, whole: int) -> bytes:
        """``size`` bytes of a file that had ``whole`` when it was listed. Raises ResiduaError if it has not now."""
        ...

    def full(self, name: str) -> str:
        """How messages call a file."""
        ...


class Here:
    """A folder, or one file, of this machine."""

    far = False

    def __init__(self, path: Path) -> None:
        self.root, self._only = (path.parent, path.name) if path.is_file() else (path, None)

    def files(self, suffix: str) -> list[str]:  # noqa: D102
        if self._only is not None:
            return [self._only]
        found = [*self.root.glob(f"[!.]*{suffix}"), *self.root.glob(f"[!.]*/[!.]*{suffix}")]
        return sorted(path.relative_to(self.root).as_posix() for path in found if path.is_file())

    def stat(self, name: str) -> tuple[int, str]:  # noqa: D102
        with self._said(name):
            found = (self.root / name).stat()
        return found.st_size, str(found.st_mtime_ns)

    @contextmanager
    def opened(self, name: str) -> Iterator[BinaryIO]:  # noqa: D102
        with self._said(name), (self.root / name).open("rb") as file:
            yield file

    def read(self, name: str, start: int, size: int, whole: int) -> bytes:  # noqa: D102
        with self._said(name), (self.root / name).open("rb", buffering=0) as file:
            now = os.fstat(file.fileno()).st_size
            if now != whole:
                raise ResiduaError(
                    f"{self.full(name)} has changed while it was read: {whole:,} bytes before, {now:,} now"
                )
            file.seek(start)
            return file.read(size)

    def full(self, name: str) -> str:  # noqa: D102
        return str(self.root / name)

    @contextmanager
    def _said(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ResiduaError(f"cannot read {self.full(name)}: {error.strerror or error}") from error


class There:
    """A folder, a file, or files with numbers such as ``{000..099}``, at a URL."""

    far = True

    def __init__(self, url: str) -> None:
        try:
            from fsspec.core import url_to_fs  # comes with torch; takes 40 ms
        except ImportError as error:
            raise UsageError("URLs are read by fsspec: pip install 'residua[remote]'") from error
        self._url = url
        names = url.rpartition("/")[2]
        self._given = expanded(names) if re.search(r"\.tar$|\{", names) else None
        self._base = url.rpartition("/")[0] if self._given else url.rstrip("/")
        self.root = Path(self._base)
        try:
            self._fs, self._root = url_to_fs(self._base)
        except (ImportError, ValueError) as error:
            raise UsageError(f"{url} cannot be read: {_line(error)}") from error

    def files(self, suffix: str) -> list[str]:  # noqa: D102
        if self._given:
            return self._given
        with self._said(""):
            found = self._fs.find(self._root, maxdepth=2)
        begin = f"{self._root.rstrip('/')}/"
        return sorted(name.removeprefix(begin) for name in found if name.endswith(suffix))

    def stat(self, name: str) -> tuple[int, str]:  # noqa: D102
        with self._said(name):
            info = self._fs.info(self._path(name))
        if not isinstance(info.get("size"), int):
            raise ResiduaError(
                f"{self.full(name)} does not say how large it is: it cannot be read by position"
            )
        changed = next((info[key] for key in ("ETag", "etag", "mtime", "LastModified") if info.get(key)), "")
        return info["size"], str(changed)

    @contextmanager
    def opened(self, name: str) -> Iterator[BinaryIO]:  # noqa: D102
        with (
            self._said(name),
            self._fs.open(self._path(name), "rb", block_size=4 << 20, cache_type="readahead") as file,
        ):
            yield file

    def read(self, name: str, start: int, size: int, whole: int) -> bytes:  # noqa: D102
        attempt = 1
        while True:
            try:
                with self._said(name):
                    found = self._fs.cat_file(self._path(name), start=start, end=start + size)
                if len(found) == size:
                    return found
                raise ResiduaError(
                    f"{self.full(name)} gave {len(found):,} bytes where {size:,} were asked for"
                )
            except ResiduaError:
                if attempt == ATTEMPTS:
                    raise
            time.sleep(attempt)
            attempt += 1

    def full(self, name: str) -> str:  # noqa: D102
        return f"{self._base}/{name}"

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    @contextmanager
    def _said(self, name: str) -> Iterator[None]:
        try:
            yield
        except ResiduaError:
            raise
        except Exception as error:  # of a protocol's own package: whatever it raises, the file cannot be read
            raise ResiduaError(f"cannot read {self.full(name)}: {_line(error)}") from error


def place_of(path: str) -> Place:
    """The ``Place`` of a path or a URL."""
    return There(path) if "://" in path else Here(Path(path).expanduser())


def expanded(name: str) -> list[str]:
    """The names that ``train-{000..012}.tar`` stands for. Raises UsageError for too many."""
    found = re.search(r"\{(\d+)\.\.(\d+)\}", name)
    if found is None:
        return [name]
    first, last = found[1], found[2]
    if not 0 <= int(last) - int(first) < MAX_SHARDS:
        raise UsageError(f"{name} stands for no files, or for over {MAX_SHARDS:,}")
    numbers = (str(number).zfill(len(first)) for number in range(int(first), int(last) + 1))
    return [
        rest for number in numbers for rest in expanded(name[: found.start()] + number + name[found.end() :])
    ]


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".rstrip(": ")
