"""Images one after the other, with their names: files, those of a folder, frames of a video, what is in memory."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from residua.data.image import BadImage
from residua.data.listing import files_below
from residua.deploy.pictures import Picture, name_of
from residua.deploy.video import VIDEOS, frames
from residua.errors import UsageError


@dataclass(frozen=True, eq=False)
class NamedPicture:
    """An image by a name; an error in its place, where a video cannot be read."""

    name: str
    picture: Picture | BadImage


Pictures = Picture | Iterable[Picture | NamedPicture]


def asked(
    images: Pictures, suffixes: Collection[str], *, every: float, left_out: dict[str, str]
) -> Iterator[NamedPicture]:
    """Each image of ``images``: a folder stands for its files with these ``suffixes``, at any depth and in order of
    names, a video for a frame every so many seconds. What is in an iterable is taken one by one.

    ``left_out`` gets every other file of a folder, with the reason. Raises UsageError for a folder without an image.
    """
    if isinstance(images, str | os.PathLike):
        yield from _of_path(images, suffixes, every, left_out)
    elif isinstance(images, Iterable) and not isinstance(images, bytes):
        for image in images:
            if isinstance(image, str | os.PathLike):
                yield from _of_path(image, suffixes, every, left_out)
            else:
                yield image if isinstance(image, NamedPicture) else NamedPicture(name_of(image), image)
    else:
        yield NamedPicture(name_of(images), images)


def _of_path(
    given: str | os.PathLike[str], suffixes: Collection[str], every: float, left_out: dict[str, str]
) -> Iterator[NamedPicture]:
    path = Path(given)
    if os.fspath(given) and path.is_dir():  # an empty text is no path, though Path takes it for this folder
        what, others = ".npy file" if ".npy" in suffixes else "image", {}
        inside = files_below(path, path, suffixes, what, others)
        if not inside:
            raise UsageError(f"{path} holds no {what}")
        left_out |= {name_of(path / name): why for name, why in others.items()}
        for name in inside:
            yield NamedPicture(name_of(path / name), path / name)
    elif path.suffix.lower() in VIDEOS and path.suffix.lower() not in suffixes:
        name = name_of(path)
        try:
            for seconds, frame in frames(path, every):
                yield NamedPicture(f"{name} at {seconds:.2f} s", frame)
        except BadImage as error:
            yield NamedPicture(name, error)
    else:
        yield NamedPicture(name_of(path), path)  # whatever is wrong with it is said when it is read
