"""A disk that can be stopped at every operation: by a kill, by an error, by a cut of the power.

``Disk`` puts itself between the program and the system's calls that change files below a folder: open for writing,
write, rename, unlink, mkdir, rmdir, truncate, symlink, fsync, and safetensors' writer. Before each it looks at the
folder, so that it knows at every moment what stands there, and what of it has been synced.

A kill leaves what stood there. A cut of the power leaves of every file what was there (``kept``), what had been
synced (``synced``), or the first half of what had not been (``torn``), under the names that were there or that had
been synced; and each name that had not been synced may be undone alone.
"""

from __future__ import annotations

import builtins
import io
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from safetensors import SafetensorError

from residua.files import LOCK, NEW

Names = dict[str, int]  # in a folder, of inodes
CALLS = ("mkdir", "rename", "replace", "unlink", "remove", "rmdir", "truncate", "fsync", "symlink", "open")


@dataclass
class Tree:
    """Folders, contents of files, and links by inode; the root is inode 0."""

    folders: dict[int, Names] = field(default_factory=dict)
    files: dict[int, bytes] = field(default_factory=dict)
    links: dict[int, str] = field(default_factory=dict)

    def copy(self) -> Tree:
        return Tree(dict(self.folders), dict(self.files), dict(self.links))

    def write(self, to: Path, inode: int = 0) -> None:
        """Make these files."""
        to.mkdir()
        for name, child in self.folders[inode].items():
            if child in self.folders:
                self.write(to / name, child)
            elif child in self.links:
                (to / name).symlink_to(self.links[child])
            else:
                (to / name).write_bytes(self.files[child])

    def key(self, inode: int = 0) -> Any:
        """Equal for states that only differ in what nobody reads: what a lock says, what had not got its name yet."""
        if inode in self.folders:
            names = sorted(self.folders[inode].items())
            return tuple(
                (name, None if name.endswith((LOCK, NEW)) else self.key(child)) for name, child in names
            )
        return self.links.get(inode) or self.files[inode]


@dataclass(frozen=True)
class Moment:
    """Before an operation: what stands there, and what of it is on the disk for good."""

    operation: str
    room: bool  # whether the operation takes room on the disk
    now: Tree
    synced: Tree

    def states(self) -> Iterator[tuple[str, Tree]]:
        """Whatever a crash may leave, each with its name."""
        yield "kill", self.now
        contents = {"kept": self.now.files, "synced": self._contents(), "torn": self._contents(torn=True)}
        names = {"kept": self.now.folders, "synced": self._folders()}
        for (names_are, folders), (contents_are, files) in itertools.product(names.items(), contents.items()):
            yield f"power, names {names_are}, contents {contents_are}", self._tree(folders, files)
        for folder, undone in self._undone():
            yield "power, one name undone", self._tree({**self.now.folders, folder: undone}, self.now.files)

    def _tree(self, folders: dict[int, Names], files: dict[int, bytes]) -> Tree:
        folders = {**self.synced.folders, **folders}
        return Tree(folders, {**self.synced.files, **files}, {**self.synced.links, **self.now.links})

    def _folders(self) -> dict[int, Names]:
        return {
            inode: self.synced.folders.get(inode, {}) for inode in {*self.now.folders, *self.synced.folders}
        }

    def _contents(self, *, torn: bool = False) -> dict[int, bytes]:
        contents = {}
        for inode, now in self.now.files.items():
            old = self.synced.files.get(inode, b"")
            half = (len(old) + len(now)) // 2 if now.startswith(old) else len(now) // 2
            contents[inode] = now if now == old else now[:half] if torn else old
        return contents

    def _undone(self) -> Iterator[tuple[int, Names]]:
        """A folder with one of its changes undone; the two names of a rename go together."""
        for folder, now in self.now.folders.items():
            before = self.synced.folders.get(folder, {})
            changed = {name for name in {*now, *before} if now.get(name) != before.get(name)}
            while changed:
                group, grown = {changed.pop()}, True
                while grown:
                    inodes = {names.get(name) for name in group for names in (now, before)} - {None}
                    more = {n for n in changed if {now.get(n), before.get(n)} & inodes}
                    group, changed, grown = group | more, changed - more, bool(more)
                kept = {name: inode for name, inode in now.items() if name not in group}
                yield folder, kept | {name: before[name] for name in group if name in before}


class Disk:
    """See above. ``fail`` is asked before each operation, and raises what that is to raise."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root, self._patch = root, patch
        self.moments: list[Moment] = []
        self.fail: Callable[[int, str, bool], None] | None = None
        self.count = 0  # of operations
        self._inodes: dict[int, int] = {}  # the system's numbers of what stands there now, and our own
        self._fresh = itertools.count(1)
        self._synced = Tree()
        self._busy = False

    @contextmanager
    def watching(self) -> Iterator[Disk]:
        """Between the program and the system. What stands there at the start is on the disk for good."""
        self._inodes[self.root.stat().st_ino] = 0
        self._synced = self._look().copy()
        with self._patch.context() as patch:
            for name in CALLS:
                patch.setattr(os, name, self._call(name, getattr(os, name)))
            for module in (io, builtins):
                patch.setattr(module, "open", self._open(io.open if module is io else builtins.open))
            import safetensors.torch

            from residua.weights import tensor_files

            patch.setattr(tensor_files, "save_file", self._library(safetensors.torch.save_file))
            yield self
        if self.fail is None:
            self._before("end", room=False)

    def _look(self) -> Tree:
        """What stands there."""
        tree = Tree()

        def walk(path: str, own: int) -> None:
            names = tree.folders[own] = {}
            for entry in os.scandir(path):
                inode = entry.stat(follow_symlinks=False).st_ino
                child = names[entry.name] = self._inodes.setdefault(inode, next(self._fresh))
                if entry.is_symlink():
                    tree.links[child] = str(Path(entry.path).readlink())
                elif entry.is_dir():
                    walk(entry.path, child)
                else:
                    with _OPEN(entry.path, "rb") as file:
                        tree.files[child] = file.read()

        walk(str(self.root), 0)
        for inode in tree.folders:
            self._synced.folders.setdefault(inode, {})
        for inode in tree.files:
            self._synced.files.setdefault(inode, b"")
        for gone in set(self._inodes.values()) - {*tree.folders, *tree.files, *tree.links}:
            inode = next(key for key, value in self._inodes.items() if value == gone)
            del self._inodes[inode]  # the system gives its number to another file
        return tree

    def _before(self, operation: str, *, room: bool) -> None:
        self._busy = True
        try:
            if self.fail is not None:
                self.fail(self.count, operation, room)
            else:
                self.moments.append(Moment(operation, room, self._look(), self._synced.copy()))
        finally:
            self.count += 1
            self._busy = False

    def _ours(self, path: Any, dir_fd: int | None = None) -> Path | None:
        """The path that a call is about, if it lies in the folder."""
        if isinstance(path, int):
            path, dir_fd = "", path
        path = Path(path)
        if dir_fd is not None:
            path = Path(f"/proc/self/fd/{dir_fd}").readlink() / path
        path = path.absolute()
        return path if not self._busy and self.root in (path, *path.parents) else None

    def _call(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *args: Any, **options: Any) -> Any:
            ours = self._ours(path, options.get("dir_fd"))
            if name == "symlink":
                ours = self._ours(args[0])
            if ours is None or (name == "open" and not args[0] & os.O_CREAT):
                return real(path, *args, **options)
            self._before(f"{name} {ours.relative_to(self.root)}", room=name in ("mkdir", "symlink", "open"))
            result = real(path, *args, **options)
            if name == "fsync" and self.fail is None:
                self._sync(os.fstat(path).st_ino)
            return result

        return call

    def _sync(self, inode: int) -> None:
        own, now = self._inodes[inode], self._look()
        if own in now.folders:
            self._synced.folders[own] = now.folders[own]
            self._synced.links |= now.links
        else:
            self._synced.files[own] = now.files[own]

    def _open(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def opened(path: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
            if not set(mode) & set("wax+") or isinstance(path, int) or self._ours(path) is None:
                return real(path, mode, *args, **options)
            name = self._ours(path).relative_to(self.root)
            if "+" not in mode:
                self._before(f"open {name}", room=True)
            return _File(real(path, mode, *args, **options), lambda: self._before(f"write {name}", room=True))

        return opened

    def _library(self, save_file: Callable[..., None]) -> Callable[..., None]:
        def save(tensors: Any, path: Path, **options: Any) -> None:
            if self._ours(path) is not None:
                try:
                    self._before(f"write {path.relative_to(self.root)}", room=True)
                except OSError as error:
                    raise SafetensorError(f"I/O error: {error.strerror}") from error
            save_file(tensors, path, **options)

        return save


class _File:
    """An open file whose writes are told of."""

    def __init__(self, file: Any, tell: Callable[[], None]) -> None:
        self._file, self._tell = file, tell

    def write(self, data: Any) -> int:
        self._tell()
        written = self._file.write(data)
        self._file.flush()
        return written

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


_OPEN = builtins.open


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Disk]:
    """Makes a disk of a folder."""
    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc to tell which file a descriptor is of")
    return lambda root: Disk(root, monkeypatch)
