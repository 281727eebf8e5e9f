"""Atomic writes: a reader sees the old file or the new one, never half of one (kill -9 and full disks included)."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from residua.errors import ResiduaError


def write_atomic(path: Path, write: Callable[[Path], None]) -> None:
    """Call ``write(temporary)`` beside ``path``, flush it to the disk, and rename it into place.

    Raises ResiduaError (one line, the reason and the path) if the disk is full or not writable; what stood at
    ``path`` before is then untouched.
    """
    temporary = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        os.close(handle)
        temporary = Path(name)
        umask = os.umask(0)
        os.umask(umask)
        write(temporary)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes private files; these are as public as any other
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise ResiduaError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically; an odd file name's bytes that UTF-8 lacks as JSON's ``\\udcff``."""
    write_atomic(path, lambda temporary: _write(temporary, text.encode(errors="backslashreplace")))


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as ``sha256:`` and hexadecimal digits. Raises ResiduaError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as error:
        raise ResiduaError(f"cannot read {path}: {error.strerror or error}") from error


def read_json(path: Path) -> Any:
    """Read a JSON file; a missing or damaged one is a ResiduaError that names it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResiduaError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # syntax, encoding, a number with thousands of digits
        raise ResiduaError(f"{path} is not valid JSON: {error}") from error
