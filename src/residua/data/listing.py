"""What lies in a folder of images: its parts, its classes and its files, by names alone."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from residua.data.image import SUFFIXES, image_name
from residua.errors import ResiduaError

# What people call the parts of a set, in lower case.
PARTS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
NO_CLASSES = ("",)  # of files that have numbers instead
HIDDEN, EMPTY = "hidden", "a class folder without any"


@dataclass(frozen=True)
class PartFiles:
    """The files of one part in the order of their names: paths relative to the root, and classes."""

    where: str  # they lie, relative to the root: "train/", or "" if the root has no parts
    paths: tuple[str, ...]
    classes: tuple[str, ...]  # the class of each path


@dataclass(frozen=True)
class Listing:
    """A folder of images: its parts (``train`` alone if it has none) and its classes in the order of their names."""

    root: Path
    parts: dict[str, PartFiles]
    classes: tuple[str, ...]
    what: str = "image"  # the files are, in messages
    # every other file and why it is left out; of a folder that is left out whole, its name with a slash at the end
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def paths(self) -> list[str]:
        """Every file, part after part."""
        return [path for files in self.parts.values() for path in files.paths]


def list_folder(root: Path, suffixes: Iterable[str] = SUFFIXES, what: str = "image") -> Listing:
    """Read the names in ``root``: ``<class>/*``, or ``train/<class>/*`` beside ``val`` and ``test`` alike.

    A class holds the files with one of the ``suffixes`` at any depth below its folder. What is hidden or has another
    suffix, and a class folder that holds no such file, is left out and listed. A class folder may be a link, links to
    folders below it are not followed. Raises ResiduaError if there are no two classes, or if a part has a class that
    ``train`` lacks.
    """
    return checked(listed(root, suffixes, what))


def listed(root: Path, suffixes: Iterable[str] = SUFFIXES, what: str = "image") -> Listing:
    """As ``list_folder``, also where the classes are too few to train on, or not those of the training part."""
    left_out: dict[str, str] = {}
    suffixes = frozenset(suffixes)
    folders = _folders(root, "", suffixes, what, left_out)
    named = {name: PARTS[name.lower()] for name in folders if name.lower() in PARTS}
    if len(named) < len(folders) and not _holds_parts(root, named):
        named = {}  # classes that are called so
    parts: dict[str, str] = {}
    for name, part in named.items():
        if part in parts:
            raise ResiduaError(
                f"{root} has both {parts[part]}/ and {name}/: which of them is the {part} part?"
            )
        parts[part] = name
    if parts and "train" not in parts:
        raise ResiduaError(f"{root} has {', '.join(f'{name}/' for name in folders)} but no train/")
    beside = {f"{name}/": f"beside {parts['train']}/" for name in folders if named and name not in named}
    found = {
        part: _list_part(root, name, suffixes, what, left_out)
        for part, name in (parts or {"train": ""}).items()
    }
    classes = tuple(dict.fromkeys(found["train"].classes))
    return Listing(root, found, classes, what, dict(sorted((left_out | beside).items())))


def checked(listing: Listing) -> Listing:
    """The listing itself. Raises ResiduaError for fewer than two classes, or one that the training part lacks."""
    root, listed, classes, what = listing.root, listing.parts, listing.classes, listing.what
    if len(classes) < 2 and classes != NO_CLASSES:
        empty = [path for path, reason in listing.left_out.items() if reason == f"{EMPTY} {what}"]
        raise ResiduaError(
            f"{root / listed['train'].where} has {len(classes)} class folders with {what}s; it should have at least "
            f"two, <class>/<{what}>" + (f"; {image_name(empty[0])} holds none" if empty else "")
        )
    for files in listed.values():
        unknown = sorted(set(files.classes) - set(classes))
        if unknown:
            raise ResiduaError(
                f"{root / files.where} has the class {unknown[0]!r}, which the training part lacks"
            )
    return listing


def files_below(
    folder: Path, root: Path, suffixes: Container[str], what: str, left_out: dict[str, str]
) -> list[str]:
    """The files below ``folder`` with one of the ``suffixes``, relative to ``root``; all others go to ``left_out``."""
    found: list[str] = []
    for directory, below, names in os.walk(folder, onerror=_unreadable):
        relative = Path(directory).relative_to(root)
        for name in below:
            if _ignored(name):
                left_out[f"{(relative / name).as_posix()}/"] = HIDDEN
            elif os.path.islink(os.path.join(directory, name)):  # noqa: PTH114, PTH118 - whose path may be too long
                left_out[f"{(relative / name).as_posix()}/"] = "a link to a folder"
        below[:] = [name for name in below if not _ignored(name)]
        for name in names:
            path = (relative / name).as_posix()
            if reason := _no_candidate(name, suffixes, what):
                left_out[path] = reason
            else:
                found.append(path)
    return sorted(found)


def _holds_parts(root: Path, named: Mapping[str, str]) -> bool:
    """Whether folders called as parts are, beside others, parts: ``train/`` and another, with folders alone in each."""
    if "train" not in named.values() or len(named) < 2:
        return False
    entries = [entry for name in named for entry in _scan(root / name) if not _ignored(entry.name)]
    return bool(entries) and all(map(_is_folder, entries))


def _list_part(
    root: Path, folder: str, suffixes: frozenset[str], what: str, left_out: dict[str, str]
) -> PartFiles:
    paths: list[str] = []
    classes: list[str] = []
    for name in _folders(root, folder, suffixes, what, left_out if folder else {}):
        found = files_below(root / folder / name, root, suffixes, what, left_out)
        if not found:
            left_out[f"{(Path(folder) / name).as_posix()}/"] = f"{EMPTY} {what}"
        paths += found
        classes += [image_name(name)] * len(found)
    return PartFiles(f"{folder}/" if folder else "", tuple(paths), tuple(classes))


def _folders(
    root: Path, folder: str, suffixes: frozenset[str], what: str, left_out: dict[str, str]
) -> list[str]:
    """Names of the folders in a folder of ``root``, less hidden ones and links that lead back to it or above it."""
    home = (root / folder).resolve()
    names: list[str] = []
    for entry in _scan(root / folder):
        path = (Path(folder) / entry.name).as_posix()
        if not _is_folder(entry):
            left_out[path] = _no_candidate(entry.name, suffixes, what) or "in no class folder"
        elif _ignored(entry.name):
            left_out[f"{path}/"] = HIDDEN
        elif home.is_relative_to((home / entry.name).resolve()):
            left_out[f"{path}/"] = "a link to a folder that it lies in"
        else:
            names.append(entry.name)
    told: dict[str, str] = {}
    for name in names:
        if told.setdefault(image_name(name), name) != name:
            raise ResiduaError(
                f"{root / folder} has two folders that both read {image_name(name)!r}: rename one of them"
            )
    return sorted(names)


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        _unreadable(error)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:
        _unreadable(error)


def _no_candidate(name: str, suffixes: Container[str], what: str) -> str | None:
    """Why a file of that name is not even looked at."""
    if _ignored(name):
        return HIDDEN
    return None if Path(name).suffix.lower() in suffixes else f"no {what}, by its name"


def _unreadable(error: OSError) -> NoReturn:
    raise ResiduaError(f"cannot read {error.filename}: {error.strerror or error}") from error


def _ignored(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"
