"""A network and the images that it is shown when somebody looks inside it: runs, files, and names of fresh networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from residua.data import Data, load_data, normalize
from residua.data.image import SUFFIXES, decoded_size, preprocess, read_image
from residua.errors import ResiduaError, UsageError, nearest
from residua.evaluation.source import InputFacts, NetworkLike, Trained, data_spec, fitted, open_source
from residua.loading import create_model, locate
from residua.looks.base import Progress, Subject
from residua.registry import build, family, list_models, model_spec
from residua.spec import DataSpec, ModelSpec
from residua.train.seeding import seed_torch
from residua.weights.model_files import read_weights


def some_of(data: Data, split: str, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """``count`` images of a split, evenly spaced: as pixels uint8 (N, C, H, W), as the network takes them, labels (N,).

    Raises ResiduaError if none of them can be read.
    """
    part = data.split(split)
    positions = np.unique(np.linspace(0, len(part) - 1, min(count, len(part))).astype(np.int64))
    pixels, labels = part.read(positions)
    if not len(pixels):
        raise ResiduaError(f"the {split} part of {data.spec.source} has no readable image")
    return pixels, normalize(pixels, data.mean, data.std), labels


@dataclass(frozen=True, kw_only=True, eq=False)
class Showing:
    """A network with the images that it is shown."""

    trained: Trained
    fresh: bool  # freshly initialised
    subject: Subject
    data: str  # where the images are from


@dataclass(kw_only=True)
class Opener:
    """Opens sources, and shows all of them the same images: those named, or those of the first source."""

    data: str | Path | DataSpec | Data | None
    split: str
    seed: int
    changes: Mapping[str, Any]
    progress: Progress | None
    loaded: dict[DataSpec, Data] = field(default_factory=dict)

    def show(self, source: NetworkLike, count: int) -> Showing:
        """A network with ``count`` images, evenly spaced over the split."""
        fresh = isinstance(source, str) and _is_name(source)
        trained, data = self._fresh(str(source)) if fresh else self._stored(source)
        suited = fitted(trained, data)
        pixels, images, labels = some_of(suited, self.split, count)
        subject = self._subject(trained, pixels=pixels, images=images, labels=labels, classes=suited.classes)
        return Showing(trained=trained, fresh=fresh, subject=subject, data=data.spec.source)

    def show_file(self, source: NetworkLike) -> Showing:
        """A trained network with the one image file that ``data`` is, prepared as in training."""
        assert isinstance(self.data, str | Path)
        trained = self._open(source)
        images = trained.images
        if images.shape is None or images.mean is None or images.std is None or len(images.shape) != 3:
            raise ResiduaError(f"{trained.name} does not tell the size, mean and std of its images")
        channels, size, _ = images.shape
        pixels = preprocess(read_image(self.data, at_least=decoded_size(size)), size, channels)
        tensor = torch.from_numpy(pixels.copy())[None]
        subject = self._subject(
            trained,
            pixels=tensor,
            images=normalize(tensor, images.mean, images.std),
            labels=torch.tensor([-1]),
            classes=trained.classes,
        )
        return Showing(trained=trained, fresh=False, subject=subject, data=Path(self.data).name)

    def _subject(self, trained: Trained, **shown: Any) -> Subject:
        states = partial(states_of, trained)
        return Subject(model=trained.model, seed=self.seed, progress=self.progress, states=states, **shown)

    def _fresh(self, name: str) -> tuple[Trained, Data]:
        spec = model_spec(name, **self.changes)
        _refuse(name, spec)
        data = self._load(DataSpec() if self.data is None else self.data)
        spec = spec.change(**data.model_changes())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            model = create_model(spec)
        notes = (f"freshly initialised, seed {self.seed}",)
        return Trained(name=name, model=model, spec=spec, images=InputFacts(), notes=notes), data

    def _stored(self, source: NetworkLike) -> tuple[Trained, Data]:
        trained = self._open(source)
        _refuse(trained.name, trained.spec)
        data = self.data if isinstance(self.data, Data) else data_spec(trained, self.data)
        return trained, self._load(data)

    def _open(self, source: NetworkLike) -> Trained:
        if self.changes:
            raise UsageError(
                f"model.{next(iter(self.changes))} can only be set of a network by name, not of {source}"
            )
        trained = open_source(source)
        if trained.run is None and isinstance(source, str | Path):
            trained = dataclasses.replace(trained, name=Path(source).stem)
        return trained

    def _load(self, data: str | Path | DataSpec | Data) -> Data:
        if not isinstance(data, Data):
            spec = data if isinstance(data, DataSpec) else DataSpec(source=str(data))
            if spec not in self.loaded:
                self.loaded[spec] = load_data(spec)
            data = self.loaded[spec]
            if not isinstance(data, Data):
                raise UsageError(f"{spec.source} holds no images with classes: analyze shows those")
            if self.data is None:  # the networks that follow are shown the same
                self.data = spec
        return data


def states_of(trained: Trained) -> list[tuple[int, Mapping[str, Tensor]]]:
    """A run's weights by epoch: as its seed drew them (a fine-tuned one began elsewhere), at its best, at its end.

    Raises UsageError for what is no finished run.
    """
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


def is_image_file(data: Any) -> bool:
    """Whether the data is a single image file."""
    return isinstance(data, str | Path) and Path(data).suffix.lower() in SUFFIXES and not Path(data).is_dir()


def _is_name(source: str) -> bool:
    """Whether a source is the name of a network, and no run and no file. Raises UsageError if it is nothing."""
    try:
        locate(source)
    except UsageError as error:
        try:
            model_spec(source)
        except UsageError as other:
            if Path(source).suffix or "/" in source:
                raise error from None
            if "depth" in str(other):  # a name of a pattern, with a depth that fits no formula
                raise
            names = nearest(source, list_models())
            raise UsageError(f"{source!r} is no run, no weight file and no network{names}") from None
        return True
    return False


def _refuse(name: str, spec: ModelSpec) -> None:
    task = family(spec.family).task
    if task != "classification":
        raise UsageError(f"{name} is no image classifier (its task is {task}): analyze looks at those")
