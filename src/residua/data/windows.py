"""Text as the loop gets it: windows of bytes, each with the byte after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from residua.data.augment import refuse_augmentation
from residua.data.batches.keyed import generator
from residua.errors import UsageError
from residua.spec import DataSpec, Recipe


@dataclass(frozen=True)
class Bytes:
    """One part: its bytes in a row, seen through windows of ``context`` bytes, each with the byte after it."""

    content: torch.Tensor  # uint8 (bytes,)
    context: int

    def __len__(self) -> int:
        """Windows that do not overlap; a last, partial one does not count."""
        return max(0, (len(self.content) - 1) // self.context)

    def read(self, starts: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """The windows at ``starts``, int64 (B, context), and the bytes that follow each of their bytes."""
        window = torch.from_numpy(starts)[:, None] + torch.arange(self.context + 1)
        symbols = self.content[window].long()
        return symbols[:, :-1].contiguous(), symbols[:, 1:].contiguous()


@dataclass(frozen=True, kw_only=True)
class TextBatches:
    """Training batches: windows in a seeded order, from a seeded offset, so that cuts fall elsewhere in each epoch."""

    part: Bytes
    batch_size: int
    seed: int
    device: str = "cpu"
    memory_format: Any = None  # of images; text has none
    limit: int | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch, at least 1; the last, partial one is dropped."""
        windows = len(self.part) - 1  # an offset may push the last one out
        steps = max(1, windows // self.batch_size)
        return steps if self.limit is None else min(steps, self.limit)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Batches ``start``, ``start + 1``, ... of an epoch: bytes and the bytes after them, int64 (B, context)."""
        random = generator(self.seed, "order", epoch)
        context, room = self.part.context, len(self.part.content) - 1
        offset = int(random.integers(min(context, room - context) or 1))
        starts = offset + context * random.permutation((room - offset) // context)
        for i in range(start, self.steps_per_epoch):
            tokens, targets = self.part.read(starts[i * self.batch_size : (i + 1) * self.batch_size])
            yield tokens.to(self.device), targets.to(self.device)


@dataclass(frozen=True, kw_only=True, eq=False)
class Text:
    """Bytes of text files: AnyData."""

    spec: DataSpec
    train: Bytes
    val: Bytes | None
    test: Bytes
    identity: dict[str, Any]
    kind: str = "text"

    @property
    def shape(self) -> tuple[int]:
        """(context,)."""
        return (self.train.context,)

    def model_changes(self) -> dict[str, Any]:
        """Symbols and positions."""
        return {"vocabulary": 256, "num_classes": 256, "context": self.train.context}

    def about(self) -> dict[str, Any]:
        """What a network needs to know to take the same text again."""
        return {"kind": self.kind, "classes": [], "shape": list(self.shape)}

    def train_batches(self, recipe: Recipe, *, seed: int, **how: Any) -> TextBatches:
        """Training batches."""
        refuse_augmentation(recipe, self.kind)
        return TextBatches(part=self.train, batch_size=recipe.batch_size, seed=seed, **how)

    def eval_batches(
        self,
        split: str,
        batch_size: int,
        *,
        device: str = "cpu",
        limit: int | None = None,
        turn: tuple[int, int] = (0, 1),
        **_: Any,
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The windows of a part in order, each once. Raises UsageError for another part than the three."""
        part = {"train": self.train, "val": self.val, "test": self.test}.get(split)
        if part is None:
            raise UsageError(f"{self.spec.source} has no {split!r} part")
        for first in range(0, len(part), batch_size)[:limit][turn[0] :: turn[1]]:
            windows = np.arange(first, min(first + batch_size, len(part)))
            tokens, targets = part.read(windows * part.context)
            yield tokens.to(device), targets.to(device)
