"""Dilation instead of stride, so that the last maps stay large (Yu & Koltun 2016; Chen et al. 2017, sec. 3.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import nn

from residua.errors import UsageError
from residua.nn.residual import Residual, residual_units
from residua.nn.shortcut import PadShortcut


def dilate_stages(stages: Iterable[nn.Module], made: Sequence[int], kept: Sequence[int]) -> None:
    """Dilate the stages that were made with a stride and shall not keep it; those after one are all of that kind."""
    rate = 1
    for stage, stride, stays in zip(stages, made, kept, strict=True):
        if stride != stays:
            dilate(stage, rate)
            rate *= stride


def dilate(stage: nn.Module, rate: int) -> None:
    """Take the strides out of a stage whose input is ``rate`` times denser than it was made for, in place.

    Every weight keeps its shape and every old output its value: the new maps hold it at every n-th pixel, n being
    ``rate`` times the strides taken out. For that a convolution that stood after a stride dilates by it, and the
    strided one itself only by what came before it. Raises UsageError for strides that are neither of convolutions
    nor of option A's subsampling.
    """
    for unit in residual_units(stage).values():
        rate = _dilate_unit(unit, rate)


def _dilate_unit(unit: Residual, rate: int) -> int:
    after = _dilate_path(unit.branch, rate)
    if _dilate_path(unit.shortcut, rate) not in (rate, after):  # plain units keep an identity there
        raise UsageError("branch and shortcut of a unit have different strides: it cannot be dilated")
    return after


def _dilate_path(path: nn.Module, rate: int) -> int:
    """Dilate the layers of a path, which stand in the order in which they are applied; return the rate behind it."""
    for layer in path.modules():
        if isinstance(layer, nn.Conv2d):
            if max(layer.kernel_size) > 1:
                layer.padding = tuple(rate * int(p) for p in layer.padding)
                layer.dilation = tuple(rate * d for d in layer.dilation)
            rate, layer.stride = rate * layer.stride[0], (1, 1)
        elif isinstance(layer, PadShortcut):
            rate, layer.stride = rate * layer.stride, 1
        elif isinstance(layer, nn.MaxPool2d | nn.AvgPool2d):
            raise UsageError(f"a stage with a {type(layer).__name__} cannot be dilated")
    return rate
