"""Text as bytes: the files of any folder, or one file; by default the source of Python's own standard library.

``text`` alone takes the library's modules, ``text:path`` a folder or a file. A file belongs to one part as a whole, so
that what is measured was never trained on; a single file is cut into ten pieces, which stand for files.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np

from residua.data.batches.keyed import generator
from residua.data.identity import array_bytes, digest
from residua.data.image import image_name
from residua.errors import ResiduaError
from residua.parts import register
from residua.spec import DataSource, DataSpec, positive

if TYPE_CHECKING:
    from torch import Tensor

# bytes that are read at most; files are taken in an order of their own, so that a part is a fair sample
MOST_OF_LIBRARY = 1 << 20
MOST = 1 << 30
_PIECES = 10

log = logging.getLogger(__name__)


@register
@dataclass(frozen=True, kw_only=True)
class TextFiles(DataSource):
    """Bytes of the text at ``path``, or of the standard library's own source.

    What is not UTF-8 is no text: such files are left out and listed, or with ``strict`` refused.
    """

    kind: ClassVar[str] = "text"
    path: str | None = None
    context: int = 128  # bytes in a window

    def validate(self) -> None:  # noqa: D102
        positive(self, "context")

    def load(self, spec: DataSpec, *, threads: int = 0, storage: str | None = None) -> Any:
        """The text. Raises ResiduaError if it cannot be read or is too little for a window in every part."""
        from residua.data.windows import Bytes, Text

        path, library = self.place or Path(os.__file__).parent, self.place is None
        if path.is_file():
            files, skipped, beyond = _pieces(path), [], 0
        else:
            names = _names(path, library=library)
            order = [names[i] for i in generator(0, "text").permutation(len(names))]
            files, skipped = _read(path, order, MOST_OF_LIBRARY if library else MOST, strict=spec.strict)
            beyond = len(names) - len(files) - len(skipped)
        chosen = _split(files, spec)
        parts = {part: _bytes(files[name] for name in own) for part, own in chosen.items()}
        for part, content in parts.items():
            if len(content) <= self.context and (part != "val" or spec.val_fraction):
                raise ResiduaError(
                    f"{path} has {len(files)} text files and {sum(map(len, files.values()))} bytes: too little for a "
                    f"window of {self.context} bytes in its {part} part; --set data.context=N makes windows smaller"
                )
        identity = {
            "source": str(spec.source),
            "path": None if library else str(path.resolve()),
            "kind": self.kind,
            "storage": "memory",
            "classes": [],
            "counts": {part: len(content) for part, content in parts.items()},
            "fingerprint": {
                "of": "names and bytes of the files",
                "sha256": digest(part for name in sorted(files) for part in (os.fsencode(name), files[name])),
            },
            "splits": {
                "val": f"files with {spec.val_fraction:g} of the other bytes, split seed {spec.split_seed}",
                "test": f"files with {spec.test_fraction:g} of all bytes, split seed {spec.split_seed}",
            },
            "split_sha256": digest(array_bytes(content.numpy()) for content in parts.values()),
            "preprocessing": f"windows of {self.context} bytes",
            "files": {part: [image_name(name) for name in own] for part, own in chosen.items()},
            "skipped": skipped,
            "beyond_limit": beyond,
        }
        train, val, test = (Bytes(parts[part], self.context) for part in ("train", "val", "test"))
        return Text(spec=spec, train=train, val=val if len(val) else None, test=test, identity=identity)


def _names(folder: Path, *, library: bool) -> list[str]:
    """The files below a folder, in the order of their names; of the library its modules, not its packages."""
    found: list[str] = []
    for directory, below, names in os.walk(folder, onerror=_unreadable):
        below[:] = [] if library else [name for name in below if not name.startswith((".", "__"))]
        here = Path(directory).relative_to(folder)
        wanted = [
            name for name in names if not name.startswith(".") and (not library or name.endswith(".py"))
        ]
        found += [(here / name).as_posix() for name in wanted]
    return sorted(found)


def _pieces(path: Path) -> dict[str, bytes]:
    """A file cut into pieces, which are split like files."""
    if path.stat().st_size > MOST:
        raise ResiduaError(f"{path} has {path.stat().st_size:,} bytes: a file of text has {MOST:,} at most")
    content = _content(path)
    size = -(-len(content) // _PIECES) or 1
    starts = range(0, len(content), size)
    return {f"{path.name}[{start}:{start + size}]": content[start : start + size] for start in starts}


def _read(
    folder: Path, order: list[str], most: int, *, strict: bool
) -> tuple[dict[str, bytes], list[dict[str, str]]]:
    """The texts by name, in ``order``, as many as ``most`` bytes hold, and what is no text."""
    files: dict[str, bytes] = {}
    skipped, left = [], most
    for name in order:
        path = folder / name
        if not path.is_file() or path.stat().st_size > left:
            continue
        content = _content(path)
        reason = _no_text(content)
        if not reason:
            files[name] = content
            left -= len(content)
        elif strict:
            raise ResiduaError(f"{image_name(path)} is no text: {reason}")
        else:
            skipped.append({"path": image_name(name), "reason": reason})
            log.warning("skipped %s: %s", image_name(name), reason)
    return files, skipped


def _no_text(content: bytes) -> str | None:
    if not content:
        return "it is empty"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"it is not UTF-8 at byte {error.start}"
    return "it holds a zero byte" if b"\0" in content else None


def _split(files: Mapping[str, bytes], spec: DataSpec) -> dict[str, list[str]]:
    """The names of each part: test files until they hold their share of the bytes, then validation files."""
    names = sorted(files)
    waiting = [names[i] for i in generator(spec.split_seed, "split").permutation(len(names))]
    chosen: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    rest = sum(map(len, files.values()))
    for part, fraction in (("test", spec.test_fraction), ("val", spec.val_fraction)):
        wanted, held = fraction * rest, 0
        while held < wanted and len(waiting) > 1:
            chosen[part].append(waiting.pop())
            held += len(files[chosen[part][-1]])
        rest -= held
    return {**chosen, "train": waiting}


def _bytes(contents: Iterable[bytes]) -> Tensor:
    import torch

    return torch.from_numpy(np.frombuffer(bytearray(b"".join(contents)), np.uint8))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ResiduaError(f"cannot read {path}: {error.strerror or error}") from error


def _unreadable(error: OSError) -> NoReturn:
    raise ResiduaError(f"cannot read {error.filename}: {error.strerror or error}") from error
