"""Images in which places are marked, by boxes or masks, as the loop gets them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from residua.data.augment import refuse_augmentation
from residua.data.batches.keyed import generator
from residua.data.batches.normalize import normalize
from residua.data.loaded import AnyData
from residua.spec import DataSpec, Recipe


@dataclass(frozen=True, eq=False)
class Scenes:
    """Scenes with what is in them; a scene of fewer digits than the largest has rows of label -1."""

    images: Tensor  # uint8 (N, 1, H, W), or float32 when normalised
    boxes: Tensor  # float32 (N, M, 4): left, top, right, bottom of the ink, in pixels
    labels: Tensor  # int64 (N, M): the digit
    masks: Tensor  # uint8 (N, H, W): 0 is the background, 1 + digit elsewhere

    @property
    def parts(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Images, boxes, labels, masks."""
        return self.images, self.boxes, self.labels, self.masks

    def at(self, positions: np.ndarray) -> Scenes:
        """Some of the scenes."""
        return Scenes(*(part[torch.from_numpy(positions)] for part in self.parts))

    def __len__(self) -> int:
        return len(self.images)


@runtime_checkable
class Annotated(AnyData, Protocol):
    """Data of images in which places are marked; its batches have the attributes of ``Scenes``."""

    @property
    def target(self) -> str:
        """How the places are marked: ``boxes`` or ``masks``."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class SceneData:
    """Scenes, made in memory at once. Batches are of ``Scenes``."""

    kind: str
    spec: DataSpec
    target: str  # "boxes" or "masks"
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    train: Scenes
    val: Scenes | None
    test: Scenes
    mean: tuple[float, ...]
    std: tuple[float, ...]
    identity: dict[str, Any]

    def model_changes(self) -> dict[str, Any]:
        """Classes (the background is one of a segmenter) and channels."""
        return {"num_classes": len(self.classes), "in_channels": self.shape[0]}

    def about(self) -> dict[str, Any]:
        """What a network needs to know to take the same scenes again."""
        return {
            "kind": self.kind,
            "classes": list(self.classes),
            "shape": list(self.shape),
            "mean": list(self.mean),
            "std": list(self.std),
        }

    def train_batches(self, recipe: Recipe, *, seed: int, **how: Any) -> SceneBatches:
        """Training batches in a seeded order."""
        refuse_augmentation(recipe, self.kind)
        return SceneBatches(self, min(recipe.batch_size, len(self.train)), seed, **how)

    def eval_batches(
        self,
        split: str,
        batch_size: int,
        *,
        limit: int | None = None,
        turn: tuple[int, int] = (0, 1),
        **how: Any,
    ) -> Iterator[Scenes]:
        """Every scene of a part once, in order; at most ``limit`` batches, of which (k, n) in ``turn`` is every nth."""
        scenes: Scenes = getattr(self, split)
        for start in range(0, len(scenes), batch_size)[:limit][turn[0] :: turn[1]]:
            positions = np.arange(start, min(start + batch_size, len(scenes)))
            yield self.ready(scenes.at(positions), **how)

    def ready(
        self, scenes: Scenes, device: str = "cpu", memory_format: torch.memory_format = torch.channels_last
    ) -> Scenes:
        """Scenes as a network takes them: normalised, on the device."""
        images, *targets = (part.to(device) for part in scenes.parts)
        return Scenes(normalize(images, self.mean, self.std, memory_format=memory_format), *targets)


@dataclass(frozen=True)
class SceneBatches:
    """Batch i of epoch e is a function of (seed, e, i); the last, partial batch of an epoch is dropped."""

    data: SceneData
    batch_size: int
    seed: int
    device: str = "cpu"
    memory_format: torch.memory_format = torch.channels_last
    limit: int | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch, at least 1."""
        steps = len(self.data.train) // self.batch_size
        return steps if self.limit is None else min(steps, self.limit)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Scenes]:
        """Batches ``start``, ``start + 1``, ... of an epoch."""
        order = generator(self.seed, "order", epoch).permutation(len(self.data.train))
        for i in range(start, self.steps_per_epoch):
            chosen = order[i * self.batch_size : (i + 1) * self.batch_size]
            yield self.data.ready(self.data.train.at(chosen), self.device, self.memory_format)
