"""A folder of files that another library writes, sealed: files that are not as they were left do not stay.

A process that was killed or a disk that was full leaves half a file, and half a library of machine code ends the
process that loads it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from residua.errors import ResiduaError
from residua.files import clear, locked, make_folder, read_json, write_json

SEAL = "seal.json"


@contextmanager
def sealed(folder: Path, wait: float) -> Iterator[list[str]]:
    """Hold a folder for this process alone; what is not as its seal says is removed before, and it is sealed after.

    Gives the names of the sealed files that were damaged or gone. Raises InUse if another process still holds it
    after ``wait`` seconds, ResiduaError if it cannot be written.
    """
    try:
        make_folder(folder)
    except OSError as error:
        raise ResiduaError(f"cannot write {folder}: {error.strerror or error}") from error
    with locked(folder, wait):
        known, found = _read_seal(folder), _digests(folder)
        for name in found:
            if found[name] != known.get(name):
                clear(folder / name)
        yield sorted(name for name in known if found.get(name) != known[name])
        with suppress(ResiduaError):  # a full disk: what is not sealed is made anew the next time
            write_json(folder / SEAL, _digests(folder))


def _read_seal(folder: Path) -> dict[str, str]:
    try:
        seal = read_json(folder / SEAL)
    except ResiduaError:  # none yet, or half of one: nothing is known of any file
        return {}
    return seal if isinstance(seal, dict) else {}


def _digests(folder: Path) -> dict[str, str]:
    """Of every file below the folder but its seal; of one that cannot be read, nothing that a seal could say."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and path.name != SEAL and path.suffix != ".lock":
            try:
                with path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError:
                digest = ""
            found[path.relative_to(folder).as_posix()] = digest
    return found
