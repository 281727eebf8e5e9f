"""What a look finds: the images, those that lie there several times, and what a training would choose."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from residua.data.alike import Group, groups
from residua.data.listing import NO_CLASSES
from residua.errors import ResiduaError
from residua.spec import DataSource, DataSpec
from residua.survey.reading import PARTS, Contents, Progress, read_source
from residua.train.choices import Choice, choose
from residua.train.plan import choose_device

# A bar for what is being done: a context that gives a function of what is done and what there is in all
Bar = Callable[[str], AbstractContextManager[Progress]]


@dataclass(frozen=True, kw_only=True)
class Survey:
    """Everything that a page or a program wants to know of a set of images."""

    spec: DataSpec  # its source is resolved
    contents: Contents
    groups: list[Group]
    choice: Choice | None  # what would be trained; None if nothing can be

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; none of images with numbers to predict."""
        return () if self.contents.classes == NO_CLASSES else self.contents.classes

    def counts(self) -> list[dict[str, Any]]:
        """The readable images of each class, in all and by part."""
        held = Counter(zip(self.contents.labels, self.contents.parts, strict=True))
        return [
            {
                "name": name,
                "images": sum(held[name, part] for part in PARTS),
                **{part: held[name, part] for part in PARTS},
            }
            for name in self.contents.classes
        ]

    def sizes(self) -> dict[str, list[int]]:
        """Least, median and greatest width, height and shorter side, in px; nothing without an image."""
        photos = self.contents.photos
        sides = {
            "width": [photo.width for photo in photos],
            "height": [photo.height for photo in photos],
            "shorter": [min(photo.width, photo.height) for photo in photos],
        }
        return {
            name: [min(values), int(np.median(values)), max(values)]
            for name, values in sides.items()
            if values
        }

    def across(self, group: Group) -> bool:
        """Whether a group lies in the test part and in another: the test would be of what was trained on."""
        parts = {self.contents.parts[place] for place in group.places}
        return "test" in parts and len(parts) > 1

    def contradicts(self, group: Group) -> bool:
        """Whether the images of a group are of several classes."""
        return len({self.contents.labels[place] for place in group.places}) > 1

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        photos, names = self.contents.photos, self.contents.names
        return {
            "data": str(self.spec.source),
            "kind": self.spec.source.kind,
            "images": len(photos),
            "classes": self.counts() if self.classes else [],
            "sizes": self.sizes(),
            "grey": sum(photo.grey for photo in photos),
            "turned": sum(photo.turned for photo in photos),
            "formats": dict(Counter(photo.format for photo in photos if photo.format).most_common()),
            "skipped": [{"path": path, "reason": why} for path, why in self.contents.left_out.items()],
            "groups": [
                {
                    "files": [names[place] for place in group.places],
                    "classes": [self.contents.labels[place] for place in group.places],
                    "parts": [self.contents.parts[place] for place in group.places],
                    "exact": group.exact,
                }
                for group in self.groups
            ],
            "refused": self.contents.refusal,
            "choice": None if self.choice is None else self.choice.to_dict(),
        }


def take_survey(
    data: str | Path | DataSource | DataSpec, *, bar: Bar = lambda doing: nullcontext()
) -> Survey:
    """Look at every image of a source: none is kept decoded, and nothing is trained.

    Raises UsageError for what is no source, or one of something else than images; ResiduaError for files that are
    damaged beyond a look.
    """
    spec = DataSpec.of(data)
    spec = dataclasses.replace(spec, source=spec.source.resolved())
    with bar("reading images") as progress:
        contents = read_source(spec, progress)
    if not contents.photos:
        why = contents.refusal or f"{spec.source} has no readable image"
        for path, reason in contents.left_out.items():
            raise ResiduaError(f"{why}; the first of what is there is {path}: {reason}")
        raise ResiduaError(why)
    thumbnails = np.stack([photo.thumbnail for photo in contents.photos])
    with bar("comparing images") as progress:
        found = groups([photo.digest for photo in contents.photos], thumbnails, progress)
    choice = None if contents.facts is None else choose(contents.facts, device=choose_device("auto"))
    return Survey(spec=spec, contents=contents, groups=found, choice=choice)
