"""How much the layers of a DenseNet use those before them (Huang et al. 2017, sec. 5 and Figure 5)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

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
    found: list[SourceWeights] = []
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
            found.append(_split(block, name, first, names, channels))
            names, channels = [*names, name], [*channels, module.merge.channels]
        elif isinstance(module, WEIGHTED) and names:
            found.append(_split(block, name, module, names, channels))
            names = []
    return found


def _inputs(layer: nn.Module) -> int:
    return layer.weight.shape[1]  # type: ignore[union-attr, return-value]  # a convolution


def _split(block: int, name: str, layer: nn.Module, names: list[str], channels: list[int]) -> SourceWeights:
    if _inputs(layer) != sum(channels):
        raise UsageError(f"{name} takes {_inputs(layer)} maps, but the layers before it give {sum(channels)}")
    weight = layer.weight.detach()  # type: ignore[union-attr, operator]  # a convolution
    by_map = weight.abs().transpose(0, 1).flatten(1).double().mean(1)
    weights = tuple(float(part.mean()) for part in by_map.split(channels))
    return SourceWeights(block=block, layer=name, sources=tuple(names), weights=weights)


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
