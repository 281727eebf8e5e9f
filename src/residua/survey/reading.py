"""Every image of a source, read once: what is there, where it belongs, and what cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from residua.data.decoding import Store
from residua.data.division import divide
from residua.data.facts import Facts, facts_of, read_facts
from residua.data.image import BadImage, image_name, open_image, read_image
from residua.data.listing import Listing, checked
from residua.data.load import load_data
from residua.data.loaded import Data
from residua.data.parallel import in_parallel
from residua.errors import ResiduaError, UsageError
from residua.machine import usable_cores
from residua.spec import DataSpec
from residua.survey.photos import Photo, image_of, photo_of_file, photo_of_pixels

PARTS = ("train", "val", "test")
TOGETHER = 256  # images that are read before progress is told
Progress = Callable[[int, int], None] | None


@dataclass(kw_only=True)
class Contents:
    """What a source holds: the images that can be read, and beside each its name, class and part."""

    classes: tuple[str, ...]
    photos: list[Photo] = field(default_factory=list)
    names: list[str] = field(default_factory=list)  # of the files, or PART/POSITION
    labels: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)  # train, val or test
    left_out: dict[str, str] = field(default_factory=dict)  # what is not read, with the reason
    facts: Facts | None = None  # by which a training chooses; None if nothing can be trained on it,
    refusal: str = ""  # and why
    image: Callable[[int], Image.Image]  # the image at a position, decoded anew; raises BadImage

    def add(self, photo: Photo, name: str, label: str, part: str) -> None:
        """One more image."""
        self.photos.append(photo)
        self.names.append(name)
        self.labels.append(label)
        self.parts.append(part)


def read_source(spec: DataSpec, progress: Progress = None) -> Contents:
    """Read every image of the source of ``spec``, which is resolved.

    Raises UsageError for a source of something else than images, ResiduaError where there is nothing to look at.
    """
    found = spec.source.listed(spec)
    return _of_arrays(spec, progress) if found is None else _of_listing(spec, *found, progress)


def _of_listing(spec: DataSpec, listing: Listing, store: Store, progress: Progress) -> Contents:
    threads = usable_cores()

    def look(name: str) -> Photo | BadImage:
        try:
            content = store.contents(name)
            assert isinstance(content, Path | bytes)  # sources that list files have no others
            return photo_of_file(content)
        except BadImage as error:
            return error
        except OSError as error:  # gone or forbidden since it was listed
            return BadImage(name, error.strerror or str(error))

    def is_image(name: str) -> bool:
        try:
            open_image(store.contents(name)).close()
        except BadImage:
            return False
        return True

    paths = listing.paths
    seen: dict[str, Photo | BadImage] = {}
    for start in range(0, len(paths), TOGETHER):
        some = paths[start : start + TOGETHER]
        seen.update(zip(some, in_parallel(look, some, threads), strict=True))
        if progress:
            progress(len(seen), len(paths))
    bad = {name: error.reason for name, error in seen.items() if isinstance(error, BadImage)}
    contents = Contents(
        classes=tuple(dict.fromkeys(label for part in listing.parts.values() for label in part.classes)),
        left_out={image_name(path): why for path, why in sorted({**listing.left_out, **bad}.items())},
        image=lambda place: read_image(store.contents(readable[place])),
    )
    # the division is that of a training, which looks at the headers alone before it divides (of a set of over 5,000
    # images at some: one that has bad files is then divided a little otherwise)
    part_of = {path: name for name, part in listing.parts.items() for path in part.paths}
    try:
        divided, _ = divide(checked(listing), {name for name in bad if not is_image(name)}, spec)
        part_of |= {path: name for name, part in divided.items() for path in part.paths}
        contents.facts = read_facts(spec)
    except ResiduaError as error:
        contents.refusal = str(error)
    readable: list[str] = []
    for files in listing.parts.values():
        for path, label in zip(files.paths, files.classes, strict=True):
            if isinstance(photo := seen[path], Photo):
                readable.append(path)
                contents.add(photo, image_name(path), label, part_of[path])
    return contents


def _of_arrays(spec: DataSpec, progress: Progress) -> Contents:
    data = load_data(spec)
    if not isinstance(data, Data) or len(data.shape) != 3:
        raise UsageError(f"{spec.source} holds no images with classes; data look shows those")
    parts = {name: data.split(name) for name in PARTS if name != "val" or data.val is not None}
    places = [(name, position) for name, split in parts.items() for position in range(len(split))]

    def pixels(place: int) -> np.ndarray:
        name, position = places[place]
        return parts[name].read(np.array([position]))[0][0].numpy()

    contents = Contents(
        classes=data.classes, facts=facts_of(data), image=lambda place: image_of(pixels(place))
    )
    for place, (name, position) in enumerate(places):
        label = data.classes[int(parts[name].labels[position])]
        contents.add(photo_of_pixels(pixels(place)), f"{name}/{position}", label, name)
        if progress and (place + 1) % TOGETHER == 0:
            progress(place + 1, len(places))
    return contents
