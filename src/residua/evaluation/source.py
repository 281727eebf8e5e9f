"""What is evaluated: a network with its images' description, and the data that it is shown."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from residua.convert.tensors import is_safetensors
from residua.data import Data, same_identity
from residua.data.volume_files import MAX_VALUES
from residua.errors import ResiduaError, UsageError
from residua.loading import load_weights, locate
from residua.runs.folder import RunFolder
from residua.runs.trusted_data import trusted_data
from residua.spec import DataSpec, ModelSpec, Spec, TaskSpec
from residua.train.task import run_task, task_of
from residua.train.tasks.classification import Classification
from residua.user_files import files_changed
from residua.weights.model_files import build_model


@dataclass(frozen=True, kw_only=True)
class InputFacts(Spec):
    """What a weight file tells of the images of its network; None where it does not."""

    shape: tuple[int, ...] | None = None  # (C, H, W), (C, D, H, W) of clips and volumes, (L,) of text
    mean: tuple[float, ...] | None = None  # per channel, of images scaled to [0, 1]
    std: tuple[float, ...] | None = None
    classes: tuple[str, ...] | None = None
    task: str | None = None  # that the data are for, where they decide
    targets: tuple[str, ...] | None = None  # names of the numbers that are learned, with their
    target_mean: tuple[float, ...] | None = None  # units
    target_std: tuple[float, ...] | None = None

    def validate(self) -> None:  # noqa: D102
        if self.shape is not None and (len(self.shape) not in (1, 3, 4) or min(self.shape) < 1):
            raise UsageError(f"shape must be (channels, [depth,] height, width), not {self.shape}")
        if math.prod(self.shape or ()) > MAX_VALUES:
            raise UsageError(f"shape must hold {MAX_VALUES:,} values at most, not {self.shape}")
        if (self.mean is None) != (self.std is None) or len(self.mean or ()) != len(self.std or ()):
            raise UsageError("mean and std belong together, a number a channel")
        if self.std is not None and min(self.std, default=0) <= 0:
            raise UsageError(f"std must be above 0, not {self.std}")
        scales = [() if scale is None else scale for scale in (self.target_mean, self.target_std)]
        if {len(self.targets or ())} != {*map(len, scales)} or min(scales[1], default=1) <= 0:
            raise UsageError("targets have a mean and a std above 0 each")


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """A network with all that is known of it."""

    name: str
    model: nn.Module
    spec: ModelSpec
    images: InputFacts
    precision: str = "float32"  # a run is measured in the precision that it was trained in
    run: RunFolder | None = None
    notes: tuple[str, ...] = ()  # what was assumed of a foreign checkpoint, and what has changed since a run

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the outputs; their numbers if nobody has named them."""
        return self.images.classes or tuple(str(number) for number in range(self.spec.num_classes))

    @property
    def task(self) -> TaskSpec:
        """What it is trained for."""
        return task_of(self.spec, self.images.to_dict()) if self.run is None else run_task(self.run)


NetworkLike = str | Path | RunFolder | nn.Module | Trained


def open_source(source: NetworkLike) -> Trained:
    """A run, a weight file, a foreign checkpoint or a module, ready to be used; what is open already, as it is.

    Raises UsageError if there is no such run or file, ResiduaError if it cannot be read or contradicts
    itself.
    """
    if isinstance(source, Trained):
        return source
    if isinstance(source, nn.Module):
        spec = getattr(source, "spec", None)
        if not isinstance(spec, ModelSpec):
            raise UsageError(
                "modules made by create_model or of a registered family can be evaluated, no others"
            )
        return Trained(name=spec.name, model=source, spec=spec, images=InputFacts())
    if not isinstance(source, NetworkLike):
        raise UsageError(f"a run, a weight file or a module was expected, not {type(source).__name__}")
    found = source if isinstance(source, RunFolder) else locate(source)
    run = found if isinstance(found, RunFolder) else None
    weights = load_weights(found.path if isinstance(found, RunFolder) else found)
    name = str(source) if run is None else run.name
    images = _images(weights.data, name)
    for what, names in (("classes", images.classes), ("targets", images.targets)):
        if names and len(names) != weights.spec.num_classes:
            raise ResiduaError(f"{name} names {len(names)} {what} but has {weights.spec.num_classes} outputs")
    return Trained(
        name=name,
        model=build_model(weights),
        spec=weights.spec,
        images=images,
        precision="float32" if run is None else run.plan.precision,
        run=run,
        notes=(*weights.notes, *_other_files(run)),
    )


def open_classifier(source: NetworkLike) -> Trained:
    """As ``open_source``. Raises UsageError for a network that does not tell classes of images apart."""
    trained = open_source(source)
    if trained.task.answers != "classes":
        raise UsageError(f"{trained.name} is trained for {trained.task.kind} and gives images no class")
    return trained


def trained_for(source: NetworkLike) -> TaskSpec:
    """What the network of a source is trained for, told without reading its weights. Raises as ``open_source``."""
    found = locate(source) if isinstance(source, str | Path) else source
    if isinstance(found, RunFolder):
        return run_task(found)
    if isinstance(found, Path) and not is_safetensors(found):
        return Classification()  # other libraries' checkpoints are of classifiers
    return open_source(found).task


def _other_files(run: RunFolder | None) -> list[str]:
    """What to say where a user's file is no longer the one that the run was trained with."""
    return [said] if run is not None and (said := files_changed(run.env.get("files", {}))) else []


def _images(data: Mapping[str, Any], name: str) -> InputFacts:
    keys = [field.name for field in dataclasses.fields(InputFacts) if field.name in data]
    try:
        return InputFacts.from_dict({key: data[key] for key in keys})
    except UsageError as error:  # the file is wrong, not the caller
        raise ResiduaError(f"{name} describes its images wrongly: {error}") from error


def data_spec(trained: Trained, data: str | Path | DataSpec | None, *, strict: bool = False) -> DataSpec:
    """Where to find the images: those of the run itself, or others, in the size that the network was trained on."""
    if isinstance(data, DataSpec):
        spec = data
    elif trained.run is not None:
        spec = trusted_data(trained.run) if data is None else trained.run.data_spec.change(source=str(data))
    elif data is not None:
        spec = DataSpec.of(data)
    else:
        raise UsageError(
            f"{trained.name} does not say where its images are: name the data, a path or 'digits'"
        )
    if trained.images.shape is not None and spec.image_size is None and spec.source.resolved().resizes:
        spec = spec.change(image_size=trained.images.shape[1])
    return spec.change(strict=True) if strict else spec


def notes_of(trained: Trained, data: Any) -> list[str]:
    """What there is to know of a network that is shown ``data`` for its own; also whether they have changed."""
    changed = None if trained.run is None else same_identity(trained.run.data, data.identity)
    return [*trained.notes, *([f"the data are no longer those of the run: {changed}"] if changed else [])]


def fitted(trained: Trained, data: Data) -> Data:
    """The data, normalised as the network is used to. Raises UsageError if its images or classes do not suit it."""
    name, images, source = trained.name, trained.images, data.spec.source
    if not isinstance(data, Data):
        raise UsageError(f"{name} takes images with a class each, which {source} has not")
    if data.shape[0] != trained.spec.in_channels:
        raise UsageError(
            f"{name} takes {trained.spec.in_channels} channels, the images of {source} have {data.shape[0]}"
        )
    if images.shape not in (None, data.shape):
        ours, theirs = ("x".join(map(str, shape[1:])) for shape in (images.shape, data.shape) if shape)
        raise UsageError(f"{name} was trained on images of {ours} pixels, those of {source} have {theirs}")
    if len(data.classes) != len(trained.classes):
        raise UsageError(f"{name} knows {len(trained.classes)} classes, {source} has {len(data.classes)}")
    for ours, theirs in zip(images.classes or data.classes, data.classes, strict=True):
        if ours != theirs:
            raise UsageError(
                f"the classes of {source} are not those of {name}: {theirs!r} where it has {ours!r}"
            )
    return (
        data if images.mean is None or images.std is None else data.normalized_with(images.mean, images.std)
    )
