"""From images to volumes: every 2-D layer becomes its 3-D twin (Carreira & Zisserman 2017, sec. 2.4)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def inflate(module: nn.Module) -> nn.Module:
    """``module`` for volumes ``(N, C, D, H, W)``: kernels, strides and paddings are as deep as they are high.

    A convolution's weights are spread over the depth and divided by it, so that a volume whose slices are all the
    same image gives the image's maps, away from the ends. What is neither a 2-D layer nor holds one stays as it is.
    """
    twin = _TWINS.get(type(module))
    if twin is not None:
        return twin(module).train(module.training)
    for name, child in module.named_children():
        setattr(module, name, inflate(child))
    return module


def _deep(size: Any) -> Any:
    return (size[0], *size) if isinstance(size, tuple) else size


def _conv(conv: Any) -> nn.Conv3d:
    made = nn.Conv3d(
        conv.in_channels,
        conv.out_channels,
        _deep(conv.kernel_size),
        _deep(conv.stride),
        _deep(conv.padding),
        _deep(conv.dilation),
        conv.groups,
        conv.bias is not None,
    )
    depth = conv.kernel_size[0]
    with torch.no_grad():
        made.weight.copy_(conv.weight.unsqueeze(2).expand_as(made.weight) / depth)
        if made.bias is not None:
            made.bias.copy_(conv.bias)
    return made


def _norm(norm: Any) -> nn.BatchNorm3d:
    made = nn.BatchNorm3d(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    made.load_state_dict(norm.state_dict())
    return made


def _pool(pool: Any) -> nn.MaxPool3d:
    return nn.MaxPool3d(*map(_deep, (pool.kernel_size, pool.stride, pool.padding)))


_TWINS = {nn.Conv2d: _conv, nn.BatchNorm2d: _norm, nn.MaxPool2d: _pool}
