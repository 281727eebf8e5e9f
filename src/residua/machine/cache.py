"""The folder for what this machine keeps from one run to the next and may lose at any time: compiled code, timings.

Compiled code is run, so the folder must be this user's own: one that others can write is not used.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from residua.files import clear, in_use, make_folder

PLACE = "RESIDUA_CACHE"  # environment: another folder
COMPILED, TIMED = "compiled", "timed"  # its two parts: a folder a network, a file a network


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What the cache holds; bytes, and how many networks have compiled code and timings there."""

    path: Path
    problem: str | None  # why it cannot be used, None if it can
    size: int
    compiled: int
    timed: int


def cache_folder() -> Path:
    """Where it lies, whether it is there or not: ``RESIDUA_CACHE``, else the system's place for caches."""
    if named := os.environ.get(PLACE):
        return Path(named).absolute()
    try:
        home = Path.home()
    except RuntimeError:  # a process without one
        home = Path(tempfile.gettempdir())
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "residua"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "residua" / "cache"
    base = Path(os.environ.get("XDG_CACHE_HOME") or "")
    return (base if base.is_absolute() else home / ".cache") / "residua"


def cache_problem() -> str | None:
    """Make the folder if it is not there. None if it can be used, else why not, in a few words."""
    folder = cache_folder()
    try:
        if not folder.exists():
            make_folder(folder)
            folder.chmod(0o700)
        with tempfile.TemporaryFile(dir=folder) as probe:  # also where the disk is full
            probe.write(b"residua")
            probe.flush()
    except OSError as error:
        return f"cannot write {folder}: {error.strerror or error}"
    if hasattr(os, "geteuid"):
        about = folder.stat()
        if about.st_uid != os.geteuid() or about.st_mode & 0o022:
            return f"{folder} is not this user's alone (chmod 700 makes it so)"
    return None


def kept() -> Kept:
    """What the cache holds. Makes nothing but the folder itself."""
    problem, folder = cache_problem(), cache_folder()
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    size = 0
    for path in files:
        try:
            size += path.stat().st_size
        except OSError:  # removed in the meantime
            continue
    return Kept(
        path=folder,
        problem=problem,
        size=size,
        compiled=sum(1 for path in (folder / COMPILED).glob("[!.]*") if path.is_dir()),
        timed=sum(1 for _ in (folder / TIMED).glob("[!.]*.json")),
    )


def empty() -> int:
    """Remove all that the cache holds but what a process is compiling now; how many bytes that were."""
    before, folder = kept().size, cache_folder()
    for path in [*(folder / COMPILED).glob("[!.]*"), *(folder / TIMED).glob("[!.]*")]:
        if not in_use(path):
            clear(path)
    return before - kept().size
