"""Scenes: two to six of the shipped real digits at random places and sizes on a noisy canvas, for detection
(``scenes:boxes``) and segmentation (``scenes:masks``). Both kinds show the same scenes.

Scene i of a part is a function of (split seed, part, i) alone. The parts draw from disjoint digits: the test part from
the digits' own test part, validation from digits held out of the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from residua.data.augment.crop_flip import normalize
from residua.data.batches.keyed import generator
from residua.data.identity import array_bytes, digest
from residua.data.loaded import ArraySplit, Data, Source, mean_std
from residua.data.sources.digits import load_digits
from residua.errors import UsageError
from residua.spec import DataSpec, Recipe

TARGETS = ("boxes", "masks")
SIDE = 64  # pixels of a scene, unless the spec says otherwise
COUNTS = {"train": 2000, "val": 250, "test": 500}
DIGITS = (2, 6)  # in a scene, at least and at most; a digit that finds no free place in TRIES is left out
TRIES = 20
SIZES = (8, 16)  # pixels of a digit's side: its 8x8 pixels, once to twice as large
INK = 64  # of 255: from here on a digit's pixel belongs to the digit


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
class Annotated(Source, Protocol):
    """A Source of images in which places are marked; its batches have the attributes of ``Scenes``."""

    @property
    def target(self) -> str:
        """How the places are marked: ``boxes`` or ``masks``."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class SceneData:
    """A Source of scenes, made in memory at once. Batches are of ``Scenes``."""

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

    def train_batches(
        self,
        recipe: Recipe,
        *,
        seed: int,
        device: str = "cpu",
        memory_format: torch.memory_format = torch.channels_last,
        limit: int | None = None,
    ) -> SceneBatches:
        """Training batches in a seeded order."""
        return SceneBatches(self, min(recipe.batch_size, len(self.train)), seed, device, memory_format, limit)

    def eval_batches(
        self,
        split: str,
        batch_size: int,
        *,
        device: str = "cpu",
        memory_format: torch.memory_format = torch.channels_last,
        limit: int | None = None,
    ) -> Iterator[Scenes]:
        """Every scene of a part once, in order; at most ``limit`` batches."""
        scenes: Scenes = getattr(self, split)
        for start in range(0, len(scenes), batch_size)[:limit]:
            positions = np.arange(start, min(start + batch_size, len(scenes)))
            yield self.ready(scenes.at(positions), device, memory_format)

    def ready(self, scenes: Scenes, device: str, memory_format: torch.memory_format) -> Scenes:
        """Scenes as a network takes them: normalised, on the device."""
        images, *targets = (part.to(device) for part in scenes.parts)
        return Scenes(normalize(images, self.mean, self.std, memory_format=memory_format), *targets)


@dataclass(frozen=True)
class SceneBatches:
    """Batch i of epoch e is a function of (seed, e, i); the last, partial batch of an epoch is dropped."""

    data: SceneData
    batch_size: int
    seed: int
    device: str
    memory_format: torch.memory_format
    limit: int | None

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


def load_scenes(spec: DataSpec, option: str) -> SceneData:
    """The scenes of a spec; ``option`` is ``boxes`` or ``masks``. Raises UsageError for another."""
    if option not in TARGETS:
        raise UsageError(f"scenes are 'scenes:boxes' or 'scenes:masks', not {spec.source!r}")
    side = spec.image_size or SIDE
    if side < 2 * SIZES[1]:
        raise UsageError(f"scenes are at least {2 * SIZES[1]} px wide, not {side}")
    digits = load_digits(spec.change(source="digits", image_size=None), "")
    parts = {name: _compose(digits, name, side, spec.split_seed) for name in COUNTS if getattr(digits, name)}
    train = parts["train"]
    mean, std, _ = mean_std(ArraySplit(train.images, np.zeros(len(train), np.int64), np.arange(len(train))))
    names = digits.classes if option == "boxes" else ("background", *digits.classes)
    identity = {
        "source": spec.source,
        "path": None,
        "kind": "scenes",
        "storage": "memory",
        "image_size": side,
        "channels": 1,
        "classes": list(names),
        "counts": {name: len(parts.get(name, ())) for name in COUNTS},
        "fingerprint": {
            "of": "pixels, boxes, labels and masks",
            "sha256": digest(array_bytes(part.numpy()) for scenes in parts.values() for part in scenes.parts),
        },
        "splits": {name: f"scenes of the digits' {name} part" for name in parts},
        "split_sha256": digits.identity["split_sha256"],
        "mean": list(mean),
        "std": list(std),
        "mean_std_of": "all training scenes",
        "preprocessing": "none: the stored pixels",
        "skipped": [],
    }
    return SceneData(
        kind="scenes",
        spec=spec,
        target=option,
        classes=names,
        shape=(1, side, side),
        train=train,
        val=parts.get("val"),
        test=parts["test"],
        mean=mean,
        std=std,
        identity=identity,
    )


def _compose(digits: Data, part: str, side: int, seed: int) -> Scenes:
    source = digits.split(part)
    pixels, labels = source.read(np.arange(len(source)))
    made = [
        _scene(generator(seed, f"scenes {part}", i), pixels[:, 0].numpy(), labels.numpy(), side)
        for i in range(COUNTS[part])
    ]
    images, boxes, names, masks = (torch.from_numpy(np.stack(column)) for column in zip(*made, strict=True))
    return Scenes(images[:, None], boxes, names, masks)


def _scene(
    rng: np.random.Generator, pixels: np.ndarray, labels: np.ndarray, side: int
) -> tuple[np.ndarray, ...]:
    """One scene. Whole numbers throughout: every machine makes the same."""
    ink = np.zeros((side, side), np.uint8)
    mask = np.zeros((side, side), np.uint8)
    boxes, names = np.zeros((DIGITS[1], 4), np.float32), np.full(DIGITS[1], -1)
    free = np.ones((side, side), bool)
    found = 0
    for _ in range(rng.integers(DIGITS[0], DIGITS[1] + 1)):
        size, which = int(rng.integers(SIZES[0], SIZES[1] + 1)), int(rng.integers(len(pixels)))
        digit = np.asarray(Image.fromarray(pixels[which]).resize((size, size), Image.Resampling.BILINEAR))
        digit = (digit.astype(np.uint16) * rng.integers(160, 256) // 255).astype(np.uint8)
        for x, y in rng.integers(0, side - size + 1, (TRIES, 2)).tolist():
            place = np.s_[y : y + size, x : x + size]
            if not free[place].all():
                continue
            free[place] = False
            ink[place] = digit
            inside = digit >= INK
            mask[place][inside] = 1 + labels[which]
            columns, rows = np.flatnonzero(inside.any(0)), np.flatnonzero(inside.any(1))
            boxes[found] = x + columns[0], y + rows[0], x + columns[-1] + 1, y + rows[-1] + 1
            names[found] = labels[which]
            found += 1
            break
    noise = rng.integers(0, 25, (side, side)) + rng.integers(0, 64)
    image = np.clip(ink.astype(np.int64) + noise, 0, 255).astype(np.uint8)
    return image, boxes, names, mask
