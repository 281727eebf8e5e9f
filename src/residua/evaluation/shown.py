"""A network and the images that it is shown when somebody looks inside it: runs, files, and names of fresh networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from residua.data import Data, load_data, normalize
from residua.data.image import SUFFIXES, decoded_size, preprocess, read_image
from residua.errors import ResiduaError, UsageError, nearest
from residua.evaluation.source import Images, Source, Trained, data_spec, fitted, open_source
from residua.loading import create_model, locate
from residua.registry import list_models, model_spec
from residua.spec import DataSpec, TaskSpec
from residua.train.task import task_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """A network, and N images as it takes them."""

    trained: Trained
    fresh: bool  # freshly initialised
    images: Tensor  # (N, C, H, W), normalised
    pixels: Tensor  # the same, uint8
    labels: Tensor  # int64 (N,); -1 where nobody knows the class
    classes: tuple[str, ...]
    data: str


@dataclass(kw_only=True)
class Opener:
    """Opens sources, and shows all of them the same images: those named, or those of the first source."""

    data: str | Path | DataSpec | Data | None
    split: str
    seed: int
    changes: Mapping[str, Any]
    loaded: dict[DataSpec, Data] = field(default_factory=dict)

    def show(self, source: Source, count: int) -> Shown:
        """A network with ``count`` images, evenly spaced over the split."""
        fresh = isinstance(source, str) and _is_name(source)
        trained, data = self._fresh(str(source)) if fresh else self._stored(source)
        suited = fitted(trained, data)
        part = suited.split(self.split)
        positions = np.unique(np.linspace(0, len(part) - 1, min(count, len(part))).astype(np.int64))
        pixels, labels = part.read(positions)
        if not len(pixels):
            raise ResiduaError(f"the {self.split} part of {data.spec.source} has no readable image")
        return Shown(
            trained=trained,
            fresh=fresh,
            images=normalize(pixels, suited.mean, suited.std),
            pixels=pixels,
            labels=labels,
            classes=suited.classes,
            data=data.spec.source,
        )

    def show_file(self, source: Source) -> Shown:
        """A trained network with the one image file that ``data`` is, prepared as in training."""
        assert isinstance(self.data, str | Path)
        trained = self._open(source)
        images = trained.images
        if images.shape is None or images.mean is None or images.std is None or len(images.shape) != 3:
            raise ResiduaError(f"{trained.name} does not tell the size, mean and std of its images")
        channels, size, _ = images.shape
        pixels = preprocess(read_image(self.data, at_least=decoded_size(size)), size, channels)
        tensor = torch.from_numpy(pixels.copy())[None]
        return Shown(
            trained=trained,
            fresh=False,
            images=normalize(tensor, images.mean, images.std),
            pixels=tensor,
            labels=torch.tensor([-1]),
            classes=trained.classes,
            data=Path(self.data).name,
        )

    def _fresh(self, name: str) -> tuple[Trained, Data]:
        spec = model_spec(name, **self.changes)
        _refuse(name, task_of(spec, {}))
        data = self._load(DataSpec() if self.data is None else self.data)
        spec = spec.change(**data.model_changes())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            model = create_model(spec)
        notes = (f"freshly initialised, seed {self.seed}",)
        return Trained(name=name, model=model, spec=spec, images=Images(), notes=notes), data

    def _stored(self, source: Source) -> tuple[Trained, Data]:
        trained = self._open(source)
        _refuse(trained.name, trained.task)
        data = self.data if isinstance(self.data, Data) else data_spec(trained, self.data)
        return trained, self._load(data)

    def _open(self, source: Source) -> Trained:
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


def _refuse(name: str, task: TaskSpec) -> None:
    if task.answers != "classes":
        raise UsageError(f"{name} is no image classifier (its task is {task.kind}): analyze looks at those")
