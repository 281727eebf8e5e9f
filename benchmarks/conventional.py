"""The loop that most training scripts have: PIL transforms of every image in a DataLoader, eager float32, SGD."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch.utils.data import DataLoader, Dataset

from benchmarks.plain_resnet import plain_resnet

PAD = 4
_PROBE_BATCHES = 10


class PilImages(Dataset[tuple[torch.Tensor, int]]):
    """Images of arrays as PIL images, padded, cropped, mirrored and normalised one by one."""

    def __init__(self, data: Any) -> None:
        images, labels = data.train.read(np.arange(len(data.train)))
        self._images = images.permute(0, 2, 3, 1).numpy()  # (N, H, W, C), as CIFAR's own reader holds them
        self._labels = [int(label) for label in labels]
        self._mean = torch.tensor(data.mean).view(-1, 1, 1)
        self._std = torch.tensor(data.std).view(-1, 1, 1)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = Image.fromarray(self._images[index])
        side = image.width
        left, top = torch.randint(0, 2 * PAD + 1, (2,)).tolist()
        image = ImageOps.expand(image, PAD).crop((left, top, left + side, top + side))
        if torch.rand(1) < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)
        return pixels.sub_(self._mean).div_(self._std), self._labels[index]


def loader(data: Any, batch: int, workers: int) -> DataLoader[Any]:
    """Its DataLoader; workers stay from one epoch to the next."""
    return DataLoader(
        PilImages(data),
        batch,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )


def conventional_epoch(data: Any, batch: int, workers: int) -> Callable[[], object]:
    """A function that trains for an epoch."""
    return _epoch(loader(data, batch, workers))


def best_workers(data: Any, batch: int, cores: int) -> tuple[int, dict[str, float]]:
    """The number of workers that trains quickest here, and the images a second by number."""
    rates = {}
    few = min(len(data.train), (_PROBE_BATCHES + 2) * batch)
    for workers in sorted({0, 1, cores, 2 * cores}):
        batches = loader(data, batch, workers)
        run = _epoch(batches, limit=few // batch)
        run()  # workers start
        began = time.perf_counter()
        run()
        rates[str(workers)] = few // batch * batch / (time.perf_counter() - began)
        del batches, run
    return int(max(rates, key=lambda workers: rates[workers])), rates


def _epoch(batches: DataLoader[Any], limit: int | None = None) -> Callable[[], object]:
    torch.manual_seed(0)
    model = plain_resnet(20, 10).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)

    def run() -> float:
        hits = 0.0
        for number, (images, labels) in enumerate(batches):
            logits = model(images)
            loss = F.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            hits += float((logits.argmax(1) == labels).sum())
            if number + 1 == limit:
                break
        return hits

    return run
