"""Files that survive whatever stops their writer: a kill, a full disk, a cut of the power, a second writer.

Every writer keeps to one order, and what a crash leaves behind is then the old state or the new one:

1. Take the lock of the place (``locked``): ``.NAME.residua-lock`` beside the file or folder, never in a folder that
   may be replaced. The system lets go of it when the process ends, however it ends; the lock file that a killed
   process leaves is harmless, and goes with the next writer.
2. Write all of it below ``.NAME.residua-new``, a folder beside it (libraries leave temporary files of their own).
   What killed writers left in a directory goes with the next write in it: whose lock is free, is dead.
3. Sync the new file, rename it into place, sync the directory: a file has its contents before it has its name, and
   its name before anything that relies on it is written.

A run folder (``residua.runs.place``) is filled and renamed as one; the run that it replaces stands beside it until it
is complete. A log (``residua.log``) is synced before the checkpoint that knows its length.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import socket
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from residua.errors import ResiduaError

LOCK, NEW = ".residua-lock", ".residua-new"
_NAME_BYTES = 255  # that file systems allow
_PATIENCE = 60.0  # seconds to wait for another writer of the same file


class InUse(ResiduaError):
    """Another process writes there."""


def beside(path: Path, suffix: str) -> Path:
    """The hidden name ``.NAME<suffix>`` in the directory of ``path``; of a name too long for that, a digest of it."""
    name = f".{path.name}{suffix}"
    if len(os.fsencode(name)) > _NAME_BYTES:
        # one digest for all spellings that some file systems take for one name
        same = unicodedata.normalize("NFC", path.name).casefold()
        name = f".{hashlib.sha256(os.fsencode(same)).hexdigest()[:32]}{suffix}"
    return path.with_name(name)


@contextmanager
def locked(path: Path, wait: float = 0.0) -> Iterator[None]:
    """Hold ``path``, a file or folder that is about to be written, for one process, until the block ends.

    However the directory of ``path`` is spelled, it is one lock. Raises InUse if another process still holds it after
    ``wait`` seconds, ResiduaError if it cannot be locked.
    """
    import filelock  # only here: it takes 70 ms

    file = _lock_file(path)
    if not file.parent.is_dir():  # filelock would make it
        reason = errno.ENOTDIR if file.parent.exists() else errno.ENOENT
        raise ResiduaError(f"cannot write {path}: {os.strerror(reason)}")
    lock = filelock.FileLock(file)
    try:
        lock.acquire(timeout=wait)
    except filelock.Timeout:
        raise InUse(f"{path} is in use by {_holder(file)} ({file} is its lock)") from None
    except OSError as error:
        raise ResiduaError(f"cannot write {path}: {error.strerror or error}") from error
    try:
        if not isinstance(lock, filelock.SoftFileLock):  # which states its holder itself
            with suppress(OSError):
                file.write_text(f"{os.getpid()}\n{socket.gethostname()}\n", encoding="utf-8")
        yield
    finally:
        with suppress(OSError):  # still held: who waits for it sees that its name is gone, and asks again
            file.unlink()
        lock.release()


def in_use(path: Path) -> bool:
    """Whether a process holds ``path``."""
    if not _lock_file(path).exists():  # a look should not be in anybody's way
        return False
    try:
        with locked(path):
            return False
    except InUse:
        return True
    except ResiduaError:  # what nobody can lock is what nobody writes
        return False


def write_atomic(path: Path, write: Callable[[Path], None]) -> None:
    """Call ``write(temporary)``, flush what it wrote to the disk, and rename it to ``path``.

    A second writer of the same file waits. Raises ResiduaError (one line, the reason and the path) if the disk is
    full or not writable; what stood at ``path`` before is then untouched.
    """
    folder = beside(path, NEW)
    temporary = folder / path.name
    with locked(path, _PATIENCE):
        try:
            sweep(path.parent)
            clear(folder)
            folder.mkdir()
            write(temporary)
            temporary.chmod(folder.stat().st_mode & 0o666)  # libraries make private files
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
        except OSError as error:
            raise ResiduaError(f"cannot write {path}: {error.strerror or error}") from error
        finally:
            clear(folder)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically; an odd file name's bytes that UTF-8 lacks as JSON's ``\\udcff``."""
    write_atomic(path, lambda temporary: _write(temporary, text.encode(errors="backslashreplace")))


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def read_json(path: Path) -> Any:
    """Read a JSON file; a missing or damaged one is a ResiduaError that names it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResiduaError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # syntax, encoding, a number with thousands of digits
        raise ResiduaError(f"{path} is not valid JSON: {error}") from error


def remove(path: Path) -> None:
    """Remove a file, if it is there, before anything that relies on it is written. Raises ResiduaError."""
    try:
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise ResiduaError(f"cannot remove {path}: {error.strerror or error}") from error


def make_folder(path: Path) -> None:
    """Make a folder and those above it, names synced. Raises OSError."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Put the names in a folder on the disk; Windows has no call for that. Raises OSError."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems of networks cannot
            raise
    finally:
        os.close(handle)


def clear(path: Path) -> None:
    """Remove a file or folder of one's own that is only in the way; what cannot be removed stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def sweep(folder: Path) -> None:
    """Remove what killed writers left in ``folder``, locks and what they were writing; that of living ones stays."""
    for suffix in (NEW, LOCK):
        for leftover in folder.glob(f".*{suffix}"):
            with suppress(ResiduaError), locked(folder / leftover.name[1 : -len(suffix)]):
                clear(leftover)


def _lock_file(path: Path) -> Path:
    """Beside ``path``; in it only where nobody could replace it, because its parent cannot be written."""
    path = path.parent.resolve() / path.name
    file = beside(path, LOCK)
    if path.is_dir() and not file.exists() and not os.access(path.parent, os.W_OK):
        return path / LOCK
    return file


def _holder(file: Path) -> str:
    """Who holds a lock, as its file says: a process id and a host."""
    try:
        process, host = file.read_text(encoding="utf-8").splitlines()[:2]
        return f"process {int(process)} on {host}"
    except (OSError, ValueError):
        return "another process"
