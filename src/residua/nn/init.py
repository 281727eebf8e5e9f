"""Initialisation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn

from residua.nn.residual import residual_units
from residua.nn.squeeze import ChannelGated


def he_init(model: nn.Module, *, linear: bool = False) -> None:
    """Draw every convolution from N(0, 2 / fan-out) (He et al. 2015b, eq. 14); norms start as the identity.

    With ``linear`` fully connected layers too.
    """
    _draw(model, partial(nn.init.kaiming_normal_, mode="fan_out", nonlinearity="relu"), linear)


def xavier_init(model: nn.Module, *, linear: bool = False) -> None:
    """Draw every convolution from N(0, 2 / (fan-in + fan-out)) (Glorot & Bengio 2010, eq. 12); else as ``he_init``.

    That keeps the variance through layers without an activation; ReLU halves it (He et al. 2015b, sec. 2.2).
    """
    _draw(model, nn.init.xavier_normal_, linear)


def _draw(model: nn.Module, draw: Callable[[Tensor], Any], linear: bool) -> None:
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d) or (linear and isinstance(module, nn.Linear)):
            draw(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)


def zero_init_branches(model: nn.Module) -> None:
    """Make every branch start at zero, so that every unit starts as its shortcut (Goyal et al. 2017, sec. 5.1)."""
    for unit in residual_units(model).values():
        start_at_zero(unit.branch)


def start_at_zero(branch: nn.Module) -> None:
    """Set the weight of a branch's last layer that has one to zero, and its bias.

    That is its last norm in the original order, its last convolution under pre-activation; of a gated branch it is
    that of the branch inside.
    """
    if isinstance(branch, ChannelGated):
        return start_at_zero(branch.branch)
    layers = [m for m in branch.modules() if isinstance(getattr(m, "weight", None), nn.Parameter)]
    for name in ("weight", "bias") if layers else ():
        value = getattr(layers[-1], name, None)
        if isinstance(value, nn.Parameter):
            nn.init.zeros_(value)
    return None
