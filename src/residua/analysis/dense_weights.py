"""How much the layers of a DenseNet use those before them (Huang et al. 2017, sec. 5 and Figure 5)."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from torch import Tensor, nn

from residua.analysis.finding import Panel, Surface
from residua.analysis.layer_kinds import WEIGHTED
from residua.errors import UsageError
from residua.nn import Concat, Residual


@dataclass(frozen=True, kw_only=True)
class SourceWeights:
    """The mean absolute weight with which one layer takes what each source of its block gave."""

    block: int  # from 0
    layer: str  # a dense layer; or the transition or classifier after the block
    sources: tuple[str, ...]  # "input" of the block, then its dense layers
    weights: tuple[float, ...]


def source_weights(model: nn.Module) -> list[SourceWeights]:
    """The weights of the first convolution of every dense layer, and of what follows each block, by source.

    Dense layers are units that concatenate, in the order of their registration. What a layer gets is normalised, as
    in the paper, so that weights of different sources compare; the norm's own scale is not counted. Empty for a model
    without dense layers; raises UsageError where a convolution does not take what the layers before it gave.
    """
    found = []
    for layer in _layers(model):
        by_map = layer.weight.detach().abs().transpose(0, 1).flatten(1).double().mean(1)
        weights = tuple(float(part.mean()) for part in by_map.split(layer.channels))
        found.append(
            SourceWeights(block=layer.block, layer=layer.name, sources=layer.sources, weights=weights)
        )
    return found


def without_source(model: nn.Module, source: Literal["input", "last"]) -> nn.Module:
    """A copy whose dense layers do not see what entered their block, or what the layer just before them gave.

    Their weights for it are zero, in layers with at least two sources. ``model`` is untouched.
    """
    copied = copy.deepcopy(model)
    for layer in _layers(copied):
        if layer.dense and len(layer.sources) > 1:
            first, *_, last = zip(accumulate((0, *layer.channels)), layer.channels, strict=False)
            start, count = first if source == "input" else last
            layer.weight.detach()[:, start : start + count] = 0
    return copied


@dataclass(frozen=True, kw_only=True, eq=False)
class _Layer:
    """A convolution that takes what several sources gave: its weight is ``(out, sum(channels), ...)``."""

    block: int
    name: str
    dense: bool  # False: what follows a block
    weight: Tensor
    sources: tuple[str, ...]
    channels: tuple[int, ...]


def _layers(model: nn.Module) -> Iterator[_Layer]:
    block, names, channels = (
        -1,
        [],
        [],
    )  # sources so far, and how many maps each gave; no names: between blocks
    inside = None
    for name, module in model.named_modules():
        if inside and name.startswith(inside):
            continue
        if isinstance(module, Residual):
            inside = f"{name}."
            if not isinstance(module.merge, Concat):
                continue
            first = next((m for m in module.branch.modules() if isinstance(m, WEIGHTED)), None)
            if first is None:
                raise UsageError(f"{name} has no convolution whose weights could be looked at")
            if not names:
                block, names, channels = block + 1, ["input"], [_inputs(first)]
            yield _layer(block, name, first, names, channels, dense=True)
            names, channels = [*names, name], [*channels, module.merge.channels]
        elif isinstance(module, WEIGHTED) and names:
            yield _layer(block, name, module, names, channels, dense=False)
            names = []


def _inputs(layer: nn.Module) -> int:
    return layer.weight.shape[1]  # type: ignore[union-attr, return-value]  # a convolution


def _layer(
    block: int, name: str, layer: nn.Module, names: list[str], channels: list[int], *, dense: bool
) -> _Layer:
    if _inputs(layer) != sum(channels):
        raise UsageError(f"{name} takes {_inputs(layer)} maps, but the layers before it give {sum(channels)}")
    weight: Tensor = layer.weight  # type: ignore[assignment]  # a convolution
    return _Layer(
        block=block, name=name, dense=dense, weight=weight, sources=tuple(names), channels=tuple(channels)
    )


def source_shares(found: Sequence[SourceWeights]) -> tuple[float, float]:
    """Weights of the block's input, and of the layer just before, over the mean of all sources; a mean over layers.

    Of layers with at least three sources; NaN without any. 1 means: like any other source.
    """
    ratios = [
        (one.weights[0] / mean, one.weights[-1] / mean)
        for one in found
        if len(one.weights) > 2 and (mean := math.fsum(one.weights) / len(one.weights))
    ]
    if not ratios:
        return math.nan, math.nan
    first, last = zip(*ratios, strict=True)
    return math.fsum(first) / len(ratios), math.fsum(last) / len(ratios)


def weight_panels(found: Sequence[SourceWeights]) -> list[Panel]:
    """Figure 5 of Huang et al. 2017: a map a block, target layer to the right, source layer upwards."""
    panels = []
    for block in sorted({one.block for one in found}):
        rows = [one for one in found if one.block == block]
        sources = len(rows[-1].sources)
        surface = Surface(
            x=range(1, len(rows) + 1),
            y=range(sources),
            z=[
                [row.weights[s] if s < len(row.weights) else math.nan for row in rows] for s in range(sources)
            ],
            label="mean absolute weight",
            contours=False,
        )
        panels.append(
            Panel(
                title=f"Dense block {block + 1}",
                x_label="target layer (the last: what follows the block)",
                y_label="source layer (0: the block's input)",
                surface=surface,
            )
        )
    return panels
