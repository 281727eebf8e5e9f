"""Text as bytes: the files of any folder, or one file; by default the source of Python's own standard library.

``text`` alone takes the library's modules, ``text:path`` a folder or a file. A file belongs to one part as a whole, so
that what is measured was never trained on; a single file is cut into ten pieces, which stand for files.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch

from residua.data.batches.keyed import generator
from residua.data.identity import array_bytes, digest
from residua.data.image import image_name
from residua.errors import ResiduaError, UsageError
from residua.spec import DataSpec, Recipe

# bytes that are read at most; files are taken in an order of their own, so that a part is a fair sample
MOST_OF_LIBRARY = 1 << 20
MOST = 1 << 30
_PIECES = 10

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bytes:
    """One part: its bytes in a row, seen through windows of ``context`` bytes, each with the byte after it."""

    content: torch.Tensor  # uint8 (bytes,)
    context: int

    def __len__(self) -> int:
        """Windows that do not overlap; a last, partial one does not count."""
        return max(0, (len(self.content) - 1) // self.context)

    def read(self, starts: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """The windows at ``starts``, int64 (B, context), and the bytes that follow each of their bytes."""
        window = torch.from_numpy(starts)[:, None] + torch.arange(self.context + 1)
        symbols = self.content[window].long()
        return symbols[:, :-1].contiguous(), symbols[:, 1:].contiguous()


@dataclass(frozen=True, kw_only=True)
class TextBatches:
    """Training batches: windows in a seeded order, from a seeded offset, so that cuts fall elsewhere in each epoch."""

    part: Bytes
    batch_size: int
    seed: int
    device: str
    limit: int | None

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch, at least 1; the last, partial one is dropped."""
        windows = len(self.part) - 1  # an offset may push the last one out
        steps = max(1, windows // self.batch_size)
        return steps if self.limit is None else min(steps, self.limit)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Batches ``start``, ``start + 1``, ... of an epoch: bytes and the bytes after them, int64 (B, context)."""
        random = generator(self.seed, "order", epoch)
        context, room = self.part.context, len(self.part.content) - 1
        offset = int(random.integers(min(context, room - context) or 1))
        starts = offset + context * random.permutation((room - offset) // context)
        for i in range(start, self.steps_per_epoch):
            tokens, targets = self.part.read(starts[i * self.batch_size : (i + 1) * self.batch_size])
            yield tokens.to(self.device), targets.to(self.device)


@dataclass(frozen=True, kw_only=True, eq=False)
class Text:
    """Bytes of text files: a Source."""

    spec: DataSpec
    train: Bytes
    val: Bytes | None
    test: Bytes
    identity: dict[str, Any]
    kind: str = "text"

    @property
    def shape(self) -> tuple[int]:
        """(context,)."""
        return (self.spec.context,)

    def model_changes(self) -> dict[str, Any]:
        """Symbols and positions."""
        return {"vocabulary": 256, "num_classes": 256, "context": self.spec.context}

    def about(self) -> dict[str, Any]:
        """What a network needs to know to take the same text again."""
        return {"kind": self.kind, "classes": [], "shape": list(self.shape)}

    def train_batches(
        self,
        recipe: Recipe,
        *,
        seed: int,
        device: str = "cpu",
        memory_format: torch.memory_format = torch.contiguous_format,
        limit: int | None = None,
    ) -> TextBatches:
        """Training batches."""
        return TextBatches(
            part=self.train, batch_size=recipe.batch_size, seed=seed, device=device, limit=limit
        )

    def eval_batches(
        self,
        split: str,
        batch_size: int,
        *,
        device: str = "cpu",
        memory_format: torch.memory_format = torch.contiguous_format,
        limit: int | None = None,
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The windows of a part in order, each once. Raises UsageError for another part than the three."""
        part = {"train": self.train, "val": self.val, "test": self.test}.get(split)
        if part is None:
            raise UsageError(f"{self.spec.source} has no {split!r} part")
        for first in list(range(0, len(part), batch_size))[:limit]:
            windows = np.arange(first, min(first + batch_size, len(part)))
            tokens, targets = part.read(windows * part.context)
            yield tokens.to(device), targets.to(device)


def load_text(spec: DataSpec, rest: str) -> Text:
    """The text at the path ``rest``, or the standard library's own source if it is empty.

    What is not UTF-8 is no text: such files are left out and listed, or with ``strict`` refused. Raises UsageError
    if there is nothing at the path, ResiduaError if it cannot be read or is too little for a window in every part.
    """
    path = Path(rest).expanduser() if rest else Path(os.__file__).parent
    if not path.exists():
        raise UsageError(f"no such file or folder: {rest}; text alone is Python's own standard library")
    if path.is_file():
        files, skipped, beyond = _pieces(path), [], 0
    else:
        names = _names(path, library=not rest)
        order = [names[i] for i in generator(0, "text").permutation(len(names))]
        files, skipped = _read(path, order, MOST if rest else MOST_OF_LIBRARY, strict=spec.strict)
        beyond = len(names) - len(files) - len(skipped)
    chosen = _split(files, spec)
    parts = {part: _bytes(files[name] for name in own) for part, own in chosen.items()}
    for part, content in parts.items():
        if len(content) <= spec.context and (part != "val" or spec.val_fraction):
            raise ResiduaError(
                f"{path} has {len(files)} text files and {sum(map(len, files.values()))} bytes: too little for a "
                f"window of {spec.context} bytes in its {part} part; --set data.context=N makes windows smaller"
            )
    identity = {
        "source": spec.source,
        "path": str(path.resolve()) if rest else None,
        "kind": "text",
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
        "preprocessing": f"windows of {spec.context} bytes",
        "files": {part: [image_name(name) for name in own] for part, own in chosen.items()},
        "skipped": skipped,
        "beyond_limit": beyond,
    }
    train, val, test = (Bytes(parts[part], spec.context) for part in ("train", "val", "test"))
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


def _bytes(contents: Iterable[bytes]) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(bytearray(b"".join(contents)), np.uint8))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ResiduaError(f"cannot read {path}: {error.strerror or error}") from error


def _unreadable(error: OSError) -> NoReturn:
    raise ResiduaError(f"cannot read {error.filename}: {error.strerror or error}") from error
