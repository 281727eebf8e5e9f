"""``analyze``: one look inside networks; networks are runs, weight files, checkpoints or names."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from residua.analysis.finding import Finding
from residua.data import Data
from residua.errors import ResiduaError, UsageError
from residua.evaluation.opener import Opener, Showing, is_image_file
from residua.evaluation.source import NetworkLike
from residua.looks.base import Look, Progress, look_class
from residua.spec import DataSpec


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """What a look found in one network, and what the network was shown."""

    name: str
    model: str  # name of its spec
    data: str
    images: int
    precision: str
    finding: Finding
    notes: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        return self.finding._repr_html_()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            **self.finding.to_dict(),
            "network": self.name,
            "model": self.model,
            "data": self.data,
            "images": self.images,
            "precision": self.precision,
            "notes": list(self.notes),
        }


def analyze(
    kind: str,
    sources: NetworkLike | Sequence[NetworkLike],
    data: str | Path | DataSpec | Data | None = None,
    *,
    images: int | None = None,
    split: str = "test",
    seed: int = 0,
    changes: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> list[Analysis]:
    """Look inside networks.

    Args:
        kind: a look, see ``residua.looks``.
        sources: run folders, weight files, foreign checkpoints, modules of ``create_model``, or names of networks;
            one or several. A name is a network freshly initialised from ``seed``, for the classes and channels of
            the data.
        data: the images that all are shown: by default those of the first source, and for a name the digits. For
            some looks a single image file will do.
        images: how many of them, evenly spaced over the split; by default as many as suit the look.
        split: ``"train"``, ``"val"`` or ``"test"``.
        seed: of fresh networks, and of what the look draws.
        changes: fields of the specs of fresh networks, such as ``{"shortcut": "C"}``.
        options: of the look.
        progress: called with the parts done and the parts in all, by looks that take long.

    Returns an ``Analysis`` for each source.

    Raises:
        UsageError: for an unknown look, source or option, and for networks and data that do not suit the look.
        ResiduaError: for files that cannot be read.

    """
    found = look_class(kind)
    if not found.offered:
        raise UsageError(f"{kind} is a look of experiments: there is nothing in it to analyze")
    for name, value, least in (("images", images, 1), ("seed", seed, 0)):
        if value is not None and value < least:
            raise UsageError(f"{name} must be at least {least}, not {value}")
    chosen = found.from_dict(options or {})
    single = is_image_file(data)
    if single and not chosen.image_file:
        raise UsageError(
            f"{kind} needs images with their classes: a folder or a data set, not the one file {data}"
        )
    opener = Opener(data=data, split=split, seed=seed, changes=changes or {}, progress=progress)
    wanted: list[Any] = list(sources) if isinstance(sources, list | tuple) else [sources]
    count = max(images or chosen.images, 1)
    return _apart(
        [_ask(chosen, opener.show_file(one) if single else opener.show(one, count)) for one in wanted]
    )


def _ask(look: Look, showing: Showing) -> Analysis:
    trained, images = showing.trained, showing.subject.images
    try:
        finding = look.at(showing.subject)
    except ResiduaError as error:
        raise type(error)(f"{trained.name}: {error}") from error
    notes = list(trained.notes)
    if look.trained and showing.fresh:
        notes.append("what is asked here makes sense of a trained network")
    return Analysis(
        name=trained.name,
        model=trained.spec.name,
        data=showing.data,
        images=len(images),
        precision="float64" if look.float64 else str(images.dtype).removeprefix("torch."),
        finding=finding,
        notes=tuple(notes),
    )


def _apart(analyses: list[Analysis]) -> list[Analysis]:
    """Analyses with names of their own: networks of the same name are numbered."""
    names = [one.name for one in analyses]
    return [
        dataclasses.replace(one, name=f"{one.name} ({names[: i + 1].count(one.name)})")
        if names.count(one.name) > 1
        else one
        for i, one in enumerate(analyses)
    ]
