"""Scenes: two to six of the shipped real digits at random places and sizes on a noisy canvas, for detection
(``scenes:boxes``) and segmentation (``scenes:masks``). Both kinds show the same scenes.

Scene i of a part is a function of (split seed, part, i) alone. The parts draw from disjoint digits: the test part from
the digits' own test part, validation from digits held out of the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from PIL import Image

from residua.data.batches.keyed import generator
from residua.data.identity import array_bytes, digest
from residua.data.sources.digits import Digits
from residua.errors import UsageError
from residua.parts import register
from residua.spec import DataSource, DataSpec

if TYPE_CHECKING:
    from residua.data.annotated import Scenes
    from residua.data.loaded import Data

SIDE = 64  # pixels of a scene, unless the spec says otherwise
COUNTS = {"train": 2000, "val": 250, "test": 500}
DIGITS = (2, 6)  # in a scene, at least and at most; a digit that finds no free place in TRIES is left out
TRIES = 20
SIZES = (8, 16)  # pixels of a digit's side: its 8x8 pixels, once to twice as large
INK = 64  # of 255: from here on a digit's pixel belongs to the digit


@register
@dataclass(frozen=True, kw_only=True)
class ScenesOfDigits(DataSource):
    """Scenes whose digits are marked by boxes or by masks."""

    kind: ClassVar[str] = "scenes"
    target: Literal["boxes", "masks"]

    def load(self, spec: DataSpec, *, threads: int = 0, storage: str | None = None) -> Any:  # noqa: D102

        from residua.data.annotated import SceneData
        from residua.data.splits import ArraySplit, mean_std

        side = spec.image_size or SIDE
        if side < 2 * SIZES[1]:
            raise UsageError(f"scenes are at least {2 * SIZES[1]} px wide, not {side}")
        digits = Digits().load(DataSpec(val_fraction=spec.val_fraction, split_seed=spec.split_seed))
        parts = {
            name: _compose(digits, name, side, spec.split_seed) for name in COUNTS if getattr(digits, name)
        }
        train = parts["train"]
        mean, std, _ = mean_std(
            ArraySplit(train.images, np.zeros(len(train), np.int64), np.arange(len(train)))
        )
        names = digits.classes if self.target == "boxes" else ("background", *digits.classes)
        identity = {
            "source": str(spec.source),
            "path": None,
            "kind": self.kind,
            "storage": "memory",
            "image_size": side,
            "channels": 1,
            "classes": list(names),
            "counts": {name: len(parts.get(name, ())) for name in COUNTS},
            "fingerprint": {
                "of": "pixels, boxes, labels and masks",
                "sha256": digest(
                    array_bytes(part.numpy()) for scenes in parts.values() for part in scenes.parts
                ),
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
            kind=self.kind,
            spec=spec,
            target=self.target,
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
    import torch

    from residua.data.annotated import Scenes

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
