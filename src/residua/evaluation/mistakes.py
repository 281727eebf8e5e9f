"""The wrong answers of a network as pictures: the most confident ones, and the classes that are confused most."""

from __future__ import annotations

import base64
import io
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from residua.data import Data
from residua.evaluation.outputs import Outputs

MISTAKES = 24
PAIRS, EACH = 5, 4  # pairs of classes, and pictures of each direction
SLICES = 8  # of a clip or volume in its picture


def mistakes(data: Data, outputs: Outputs) -> list[dict[str, Any]]:
    """The most confident wrong answers, the most confident first, no kind of them twice before every kind once."""
    ranked = [group for _, group in _by_pair(outputs).items()]
    in_turn = [group[turn] for turn in range(MISTAKES) for group in ranked if turn < len(group)][:MISTAKES]
    return _shown(data, outputs, sorted(in_turn, key=_confidence(outputs), reverse=True))


def pairs(data: Data, outputs: Outputs) -> list[dict[str, Any]]:
    """The pairs of classes that are taken for each other most often, both directions with pictures."""
    groups = _by_pair(outputs)
    together: dict[tuple[int, int], int] = defaultdict(int)
    for (true, given), found in groups.items():
        together[min(true, given), max(true, given)] += len(found)
    most = sorted(together, key=lambda pair: (-together[pair], pair))[:PAIRS]
    counts = np.bincount(outputs.labels, minlength=len(data.classes))
    return [
        {
            "times": together[pair],
            "directions": [
                {
                    "true": data.classes[true],
                    "predicted": data.classes[given],
                    "times": len(groups.get((true, given), [])),
                    "of": int(counts[true]),
                    "images": _shown(data, outputs, groups.get((true, given), [])[:EACH]),
                }
                for true, given in (pair, pair[::-1])
            ],
        }
        for pair in most
    ]


def _by_pair(outputs: Outputs) -> dict[tuple[int, int], list[int]]:
    """The wrong answers by (true, given) class, the most confident first in each, and so of the pairs."""
    given = outputs.log_probabilities.argmax(1)
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    wrong = np.flatnonzero(given != outputs.labels)
    for index in sorted(wrong.tolist(), key=_confidence(outputs), reverse=True):
        groups[int(outputs.labels[index]), int(given[index])].append(index)
    return groups


def _confidence(outputs: Outputs) -> Any:
    top = outputs.log_probabilities.max(1)
    return lambda index: top[index]


def _shown(data: Data, outputs: Outputs, indices: Sequence[int]) -> list[dict[str, Any]]:
    return [
        {
            "true": data.classes[outputs.labels[index]],
            "predicted": data.classes[outputs.log_probabilities[index].argmax()],
            "confidence": min(float(np.exp(outputs.log_probabilities[index].max())), 1.0),
            **picture_of(data, "test", int(outputs.positions[index])),
        }
        for index in indices
    ]


def picture_of(data: Data, split: str, position: int, *, png: bool = True) -> dict[str, Any]:
    """``path`` of an image of a split, None where there are no files, and ``png``, the base64 text of a PNG file."""
    part = data.split(split)
    paths = part.paths()
    found = {"path": None if paths is None else paths[position]}
    if not png:
        return found
    pixels, _ = part.read(np.array([position]))
    return {**found, "png": _png(_flat(pixels[0]).permute(1, 2, 0).numpy())}


def _flat(pixels: torch.Tensor) -> torch.Tensor:
    """An image (C, H, W) as it is; of a clip or volume (C, D, H, W) at most ``SLICES`` slices side by side, in grey.

    A row of a table is a line of grey pixels, one for each column.
    """
    if pixels.ndim == 3:
        return pixels
    if pixels.ndim == 1:
        strip = pixels.float()[None, None]
    else:
        depth = pixels.shape[1]
        chosen = np.unique(np.linspace(0, depth - 1, min(depth, SLICES)).astype(np.int64))
        slices = torch.cat([pixels[:, int(i)] for i in chosen], dim=2)
        strip = slices.float().mean(0, keepdim=True)  # (1, H, n W)
    if pixels.dtype != torch.uint8:  # its own range, as a radiologist's window
        strip = (strip - strip.min()) * (255 / (strip.max() - strip.min()).clamp(min=1e-12))
    return strip.byte()


def _png(pixels: np.ndarray) -> str:
    """Pixels uint8 (H, W, 1 or 3) as the base64 text of a PNG file."""
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels)).save(
        out, "png"
    )
    return base64.b64encode(out.getvalue()).decode()
