"""Backpropagation that keeps a part of the activations and computes the rest again (Chen et al. 2016, sec. 4).

Chains are cut into segments of about the square root of the network's layers. The forward pass keeps what enters a
segment; the backward pass computes a segment once more when it comes to it. What is kept at a time are the inputs of
all segments and the inside of one: both grow with the square root of the depth, where all activations grow with the
depth. Each layer is computed twice, so that a step of three forward passes' work takes four.

Batch statistics are updated once, draws (dropout, stochastic depth) are repeated, and gradients are the same bits: the
same operations on the same numbers, in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from residua.nn.residual import Chain, Residual, Segment
from residua.nn.reversible import Reversible

_INSIDE = 2  # what a layer keeps of its inside, norm and activation with it, in sizes of what enters a unit


@contextmanager
def recomputing(model: nn.Module, enabled: bool = True) -> Iterator[None]:
    """While open, chains of ``model`` keep only what enters their segments; units that stand in no chain, their input.

    Chains that are inverted stay as they are: they keep nothing.
    """
    cut = _cut(model) if enabled else {}
    loose = [unit for unit in _loose_units(model) if not unit.recompute] if enabled else []
    for chain, segments in cut.items():
        chain.segments = segments
    for unit in loose:
        unit.recompute = True
    try:
        yield
    finally:
        for chain in cut:
            chain.segments = ()
        for unit in loose:
            unit.recompute = False


def _cut(model: nn.Module) -> dict[Chain, tuple[Segment, ...]]:
    """The segments of every chain that is cut."""
    chains = [chain for chain in _outermost(model) if isinstance(chain, Chain)]
    # L / k inputs of segments and the inside of k layers together are least where k = sqrt(L / inside)
    most = max(round(math.sqrt(sum(map(_layers, chains)) / _INSIDE)), 1)
    cut: dict[Chain, tuple[Segment, ...]] = {}
    while chains:
        chain = chains.pop()
        cut[chain], inner = _segments(chain, most)
        chains += inner
    return cut


def _segments(chain: Chain, most: int) -> tuple[tuple[Segment, ...], list[Chain]]:
    """A chain cut into segments of at most so many layers, if its children allow; and the children to cut in turn."""
    segments: list[Segment] = []
    inner: list[Chain] = []
    start = layers = 0
    for index, child in enumerate(chain):
        own = _layers(child)
        apart = isinstance(child, Reversible) or (isinstance(child, Chain) and own > most)
        if start < index and (apart or (own and layers + own > most)):
            segments.append(Segment(start, index))
            start, layers = index, 0
        if apart:
            segments.append(Segment(index, index + 1, recomputed=False))
            start = index + 1
            inner += [child] if isinstance(child, Chain) else []
        else:
            layers += own
    if start < len(chain):
        segments.append(Segment(start, len(chain)))
    return tuple(segments), inner


def _layers(module: nn.Module) -> int:
    """Convolutions, fully connected layers and the like: what has a weight of more than one dimension."""
    return sum(any(p.ndim > 1 for p in inner.parameters(recurse=False)) for inner in module.modules())


def _loose_units(model: nn.Module) -> list[Residual]:
    return [unit for unit in _outermost(model) if isinstance(unit, Residual)]


def _outermost(module: nn.Module) -> Iterator[nn.Module]:
    """Chains and units that stand in no other."""
    if isinstance(module, Chain | Residual):
        yield module
    elif not isinstance(module, Reversible):
        for child in module.children():
            yield from _outermost(child)
