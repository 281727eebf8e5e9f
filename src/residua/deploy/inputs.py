"""Images one after the other, with their names: files, those of a folder, frames of a video, what is in memory."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from residua.data.image import BadImage
from residua.deploy.pictures import Picture, name_of
from residua.deploy.video import VIDEOS, frames
from residua.errors import UsageError

Pictures = Picture | Iterable[Picture]


@dataclass(frozen=True, eq=False)
class Asked:
    """An image that is asked about; an error in its place, where a video cannot be read."""

    name: str
    picture: Picture | BadImage


def asked(images: Pictures, suffixes: Collection[str], *, every: float) -> Iterator[Asked]:
    """Each image of ``images``: a folder stands for its files with these ``suffixes``, at any depth and in order of
    names, a video for a frame every so many seconds. What is in an iterable is taken one by one.

    Raises UsageError for a folder without any such file.
    """
    if isinstance(images, str | os.PathLike):
        yield from _of_path(images, suffixes, every)
    elif isinstance(images, Iterable) and not isinstance(images, bytes):
        for image in images:
            if isinstance(image, str | os.PathLike):
                yield from _of_path(image, suffixes, every)
            else:
                yield Asked(name_of(image), image)
    else:
        yield Asked(name_of(images), images)


def _of_path(given: str | os.PathLike[str], suffixes: Collection[str], every: float) -> Iterator[Asked]:
    path = Path(given)
    if os.fspath(given) and path.is_dir():  # an empty text is no path, though Path takes it for this folder
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in suffixes and p.is_file())
        if not inside:
            raise UsageError(f"{path} holds no {'.npy file' if '.npy' in suffixes else 'image'}")
        for file in inside:
            yield Asked(name_of(file), file)
    elif path.suffix.lower() in VIDEOS and path.suffix.lower() not in suffixes:
        name = name_of(path)
        try:
            for seconds, frame in frames(path, every):
                yield Asked(f"{name} at {seconds:.2f} s", frame)
        except BadImage as error:
            yield Asked(name, error)
    else:
        yield Asked(name_of(path), path)  # whatever is wrong with it is said when it is read
