"""``analyze``: one kind of look inside networks; networks are runs, weight files, checkpoints or names."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from residua.analysis.finding import Finding
from residua.analysis.kinds import Kind, find_kind
from residua.analysis.taps import predicting
from residua.data import Data
from residua.errors import ResiduaError, UsageError
from residua.evaluation.shown import Opener, Shown, is_image_file
from residua.evaluation.source import Source, Trained
from residua.registry import build
from residua.spec import DataSpec, Spec
from residua.train.seeding import seed_torch
from residua.weights.model_files import read_weights

Progress = Callable[[int, int], None]  # parts done, parts in all
_TOLD = ("progress", "classes", "pixels", "states")  # what a kind's function may ask for that no user sets


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one kind of analysis found in one network, and what the network was shown."""

    name: str
    model: str  # name of its spec
    data: str
    images: int
    precision: str
    finding: Finding
    notes: tuple[str, ...] = ()

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
    sources: Source | Sequence[Source],
    data: str | Path | DataSpec | Data | None = None,
    *,
    images: int | None = None,
    split: str = "test",
    seed: int = 0,
    changes: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> list[Look]:
    """Look inside networks.

    Args:
        kind: a name of ``residua.analysis.kinds.KINDS``.
        sources: run folders, weight files, foreign checkpoints, modules of ``create_model``, or names of networks;
            one or several. A name is a network freshly initialised from ``seed``, for the classes and channels of
            the data.
        data: the images that all are shown: by default those of the first source, and for a name the digits. For
            some kinds a single image file will do.
        images: how many of them, evenly spaced over the split; by default as many as suit the kind.
        split: ``"train"``, ``"val"`` or ``"test"``.
        seed: of fresh networks, and of what the kind draws.
        changes: fields of the specs of fresh networks, such as ``{"shortcut": "C"}``.
        options: keyword arguments of the kind's function.
        progress: called with the parts done and the parts in all, by kinds that take long.

    Returns a ``Look`` for each source.

    Raises:
        UsageError: for an unknown kind, source or option, and for networks and data that do not suit the kind.
        ResiduaError: for files that cannot be read.

    """
    chosen = find_kind(kind)
    function = chosen.load()
    for name, value, least in (("images", images, 1), ("seed", seed, 0)):
        if value is not None and value < least:
            raise UsageError(f"{name} must be at least {least}, not {value}")
    asked = inspect.signature(function).parameters
    given: dict[str, Any] = {"seed": seed} if "seed" in asked else {}
    given |= _checked(kind, function, options or {})
    if "progress" in asked:
        given["progress"] = progress
    opener = Opener(data=data, split=split, seed=seed, changes=changes or {})
    if is_image_file(data) and not chosen.single:
        raise UsageError(
            f"{kind} needs images with their classes: a folder or a data set, not the one file {data}"
        )
    wanted: list[Any] = list(sources) if isinstance(sources, list | tuple) else [sources]
    looks = []
    for source in wanted:
        single = is_image_file(data)
        shown = opener.show_file(source) if single else opener.show(source, images or chosen.images)
        looks.append(_look(chosen, function, shown, given))
    return _apart(looks)


def _look(kind: Kind, function: Callable[..., Finding], shown: Shown, options: dict[str, Any]) -> Look:
    trained, model, images = shown.trained, shown.trained.model, shown.images
    if kind.double:  # of a copy: a caller's module stays as it is
        model, images = copy.deepcopy(model).double(), images.double()
    asked = inspect.signature(function).parameters
    told: dict[str, Any] = {name: getattr(shown, name) for name in ("classes", "pixels") if name in asked}
    if "states" in asked:
        told["states"] = _states(trained)
    try:
        with predicting(model):
            finding = function(model, images, shown.labels, **options, **told)
    except ResiduaError as error:
        raise type(error)(f"{trained.name}: {error}") from error
    notes = list(trained.notes)
    if kind.trained and shown.fresh:
        notes.append("what is asked here makes sense of a trained network")
    return Look(
        name=trained.name,
        model=trained.spec.name,
        data=shown.data,
        images=len(images),
        precision=str(images.dtype).removeprefix("torch."),
        finding=finding,
        notes=tuple(notes),
    )


def _states(trained: Trained) -> list[tuple[int, Mapping[str, Tensor]]]:
    """A run's weights by epoch: as its seed drew them (a fine-tuned one began elsewhere), at its best, at its end."""
    run = trained.run
    result = None if run is None else run.result
    if run is None or result is None:
        raise UsageError(f"{trained.name} is no finished run: only a training has a course")
    seed_torch(run.seed, "init")
    states: dict[int, Mapping[str, Tensor]] = {0: build(run.spec).state_dict()}
    if run.best.exists() and result.get("best_epoch") is not None:
        states[result["best_epoch"] + 1] = read_weights(run.best).tensors
    states[result["epochs"]] = read_weights(run.weights).tensors
    return sorted(states.items(), key=lambda state: state[0])


def _checked(kind: str, function: Callable[..., Finding], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options, checked against the function's keyword arguments as the fields of a spec are."""
    hints = typing.get_type_hints(function)
    fields = [
        (parameter.name, hints[parameter.name], dataclasses.field(default=parameter.default))
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.name not in _TOLD
    ]
    if given and not fields:
        raise UsageError(f"{kind} has no options, so no {next(iter(given))!r}")
    checker: Any = dataclasses.make_dataclass(kind, fields, bases=(Spec,), frozen=True, kw_only=True)
    read = checker.from_dict(given)
    return {name: getattr(read, name) for name in given}


def _apart(looks: list[Look]) -> list[Look]:
    """Looks with names of their own: networks of the same name are numbered."""
    names = [look.name for look in looks]
    return [
        dataclasses.replace(look, name=f"{look.name} ({names[: i + 1].count(look.name)})")
        if names.count(look.name) > 1
        else look
        for i, look in enumerate(looks)
    ]
