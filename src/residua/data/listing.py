"""What lies in a folder of images: its parts, its classes and its files, by names alone."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
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

    @property
    def paths(self) -> list[str]:
        """Every file, part after part."""
        return [path for files in self.parts.values() for path in files.paths]


def list_folder(root: Path, suffixes: Iterable[str] = SUFFIXES, what: str = "image") -> Listing:
    """Read the names in ``root``: ``<class>/*``, or ``train/<class>/*`` beside ``val`` and ``test`` alike.

    A class holds the files with one of the ``suffixes`` at any depth below its folder. Hidden and other files are
    ignored; a class folder may be a link, links to folders below it are not followed. Raises ResiduaError if there
    are no two classes, if a class folder holds no such file, or if a part has a class that ``train`` lacks.
    """
    folders = _folders(root)
    parts: dict[str, str] = {}
    if folders and all(name.lower() in PARTS for name in folders):
        for name in folders:
            part = PARTS[name.lower()]
            if part in parts:
                raise ResiduaError(
                    f"{root} has both {parts[part]}/ and {name}/: which of them is the {part} part?"
                )
            parts[part] = name
        if "train" not in parts:
            raise ResiduaError(f"{root} has {', '.join(f'{name}/' for name in folders)} but no train/")
    listed = {
        part: _list_part(root, name, frozenset(suffixes), what)
        for part, name in (parts or {"train": ""}).items()
    }
    return checked(Listing(root, listed, tuple(dict.fromkeys(listed["train"].classes)), what))


def checked(listing: Listing) -> Listing:
    """The listing itself. Raises ResiduaError for fewer than two classes, or one that the training part lacks."""
    root, listed, classes, what = listing.root, listing.parts, listing.classes, listing.what
    if len(classes) < 2:
        raise ResiduaError(
            f"{root / listed['train'].where} has {len(classes)} class folders with {what}s; it should have at least "
            f"two, <class>/<{what}>"
        )
    for files in listed.values():
        unknown = sorted(set(files.classes) - set(classes))
        if unknown:
            raise ResiduaError(
                f"{root / files.where} has the class {unknown[0]!r}, which the training part lacks"
            )
    return listing


def _list_part(root: Path, folder: str, suffixes: frozenset[str], what: str) -> PartFiles:
    paths: list[str] = []
    classes: list[str] = []
    for name in _folders(root / folder):
        found = sorted(_files(root / folder / name, root, suffixes))
        if not found:
            raise ResiduaError(f"class folder {image_name(root / folder / name)} holds no {what}")
        paths += found
        classes += [image_name(name)] * len(found)
    return PartFiles(f"{folder}/" if folder else "", tuple(paths), tuple(classes))


def _folders(root: Path) -> list[str]:
    """Names of the folders in ``root``, less hidden ones and links that lead back to ``root`` or above it."""
    try:
        with os.scandir(root) as entries:
            names = [entry.name for entry in entries if not _ignored(entry.name) and entry.is_dir()]
    except OSError as error:
        _unreadable(error)
    home = root.resolve()
    names = sorted(name for name in names if not home.is_relative_to((root / name).resolve()))
    told: dict[str, str] = {}
    for name in names:
        if told.setdefault(image_name(name), name) != name:
            raise ResiduaError(
                f"{root} has two folders that both read {image_name(name)!r}: rename one of them"
            )
    return names


def _files(folder: Path, root: Path, suffixes: frozenset[str]) -> list[str]:
    found = []
    for directory, below, names in os.walk(folder, onerror=_unreadable):
        below[:] = [name for name in below if not _ignored(name)]
        relative = Path(directory).relative_to(root)
        found += [
            (relative / name).as_posix()
            for name in names
            if not _ignored(name) and Path(name).suffix.lower() in suffixes
        ]
    return found


def _unreadable(error: OSError) -> NoReturn:
    raise ResiduaError(f"cannot read {error.filename}: {error.strerror or error}") from error


def _ignored(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"
