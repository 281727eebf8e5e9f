"""int8 that keeps its accuracy: everything first, then without the layers that it hurts most, else not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from residua.deploy.evidence import Images, spread
from residua.deploy.parity import logits_of
from residua.deploy.runtime import Quantizer, Runtime

Open = Callable[[Path], Runtime]  # what opens the model that stands in a folder
Say = Callable[[str], None]

RANKED_ON = 32  # images, of calibration and of comparison
_MOST_GROUPS = 12  # of neighbouring layers, when there are more: each is quantised alone to be ranked


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which layers stay float, and what the rest loses on the images that decided: points of top-1."""

    floats: frozenset[str]
    drop: float
    kept: bool  # whether that is little enough; if not, nothing is quantised


def choose(
    quantizer: Quantizer,
    quick: Callable[[], Quantizer],
    open: Open,
    expected: np.ndarray,
    images: Images,
    max_drop: float,
    say: Say,
) -> Choice:
    """Leave so few layers float that accuracy on ``images`` drops by at most ``max_drop`` points.

    ``expected`` are the logits of the network in float32. If all layers in int8 lose more, layers are ranked by what
    quantising each alone changes, for which ``quick`` makes a quantizer that is calibrated on few images; then 1, 2,
    4, ... of the worst stay float, up to half of them.
    """
    attempt = _Attempt(quantizer, open)
    drop = points(expected, attempt.logits(frozenset(), images.pixels), images)
    choice = Choice(floats=frozenset(), drop=drop, kept=drop <= max_drop)
    if choice.kept:
        return choice
    say(f"int8 loses {drop:.2f} points on {len(images)} {images.of}: looking for the layers that lose them")
    ranked = _ranked(_Attempt(quick(), open), expected, images)
    count = 1
    while not choice.kept and count <= len(ranked) // 2:
        floats = frozenset(name for group in ranked[:count] for name in group)
        drop = points(expected, attempt.logits(floats, images.pixels), images)
        choice = Choice(floats=floats, drop=drop, kept=drop <= max_drop)
        say(f"with {len(floats)} of {len(quantizer.layers)} layers in float32 it loses {drop:.2f} points")
        count *= 2
    return choice


def points(expected: np.ndarray, found: np.ndarray, images: Images) -> float:
    """What accuracy drops by between two logits (N, K) of labelled images, in points."""
    before, after = (float((logits.argmax(1) == images.labels).mean()) for logits in (expected, found))
    return 100 * (before - after)


def _ranked(attempt: _Attempt, expected: np.ndarray, images: Images) -> list[list[str]]:
    """Groups of layers, those whose quantisation alone changes the logits most first."""
    layers = attempt.quantizer.layers
    groups = [list(group) for group in np.array_split(layers, min(len(layers), _MOST_GROUPS))]
    chosen = spread(len(images), RANKED_ON)
    pixels, truth = images.pixels[chosen], expected[chosen]
    changes = [
        float(np.square(attempt.logits(frozenset(layers) - set(group), pixels) - truth).mean())
        for group in groups
    ]
    return [groups[i] for i in np.argsort(changes)[::-1]]


@dataclass(frozen=True)
class _Attempt:
    quantizer: Quantizer
    open: Open

    def logits(self, floats: frozenset[str], pixels: np.ndarray) -> np.ndarray:
        """What the network answers with these layers in float."""
        with tempfile.TemporaryDirectory(prefix="residua-int8-") as folder:
            self.quantizer.write(Path(folder), floats)
            return logits_of(self.open(Path(folder)), pixels)
