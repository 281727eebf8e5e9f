"""How much gradient reaches each unit."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residua.analysis.taps import Kind, kind_of, untouched
from residua.nn import residual_units


@dataclass(frozen=True, kw_only=True)
class UnitGradient:
    """L2 norms of the loss's gradient at one unit, over all images, channels and pixels."""

    unit: str
    kind: Kind
    norm: float  # at the unit's input
    merged: float  # at what its merge gives, before its activation


def gradient_norms(model: nn.Module, images: Tensor, labels: Tensor) -> list[UnitGradient]:
    """Gradient of the mean cross entropy at the input and at the merge of every unit, from input to output.

    ``images`` is ``(N, C, H, W)``, ``labels`` int64 ``(N,)``. An identity shortcut's output *is* the unit's
    input, so nothing is measured on the shortcut. The model is measured in the mode that it is in
    (``train()``: as in a training step) and is afterwards unchanged: parameters keep their gradients, batch
    statistics their values.
    """
    units = residual_units(model)
    norms: dict[tuple[str, str], float] = defaultdict(float)  # no gradient arrived: 0

    def watch(value: Tensor, key: tuple[str, str]) -> None:
        if (
            value.requires_grad
        ):  # the hook sees the gradient of this value, even if it is changed in place later
            value.register_hook(lambda grad: norms.__setitem__(key, float(grad.float().norm())))

    def entered(name: str, _: nn.Module, args: Any) -> None:
        watch(args[0], (name, "input"))

    def merged(name: str, _: nn.Module, __: Any, output: Tensor) -> None:
        watch(output, (name, "merge"))

    with untouched(model) as handles, torch.enable_grad():
        for name, unit in units.items():
            handles.append(unit.register_forward_pre_hook(partial(entered, name)))
            handles.append(unit.merge.register_forward_hook(partial(merged, name)))
        images = images.detach().clone().requires_grad_()  # so that frozen parameters hide no unit
        loss = F.cross_entropy(model(images), labels)
        sources = [images, *(p for p in model.parameters() if p.requires_grad)]  # every way back is walked
        torch.autograd.grad(loss, sources, allow_unused=True)
    return [
        UnitGradient(unit=name, kind=kind_of(unit), norm=norms[name, "input"], merged=norms[name, "merge"])
        for name, unit in units.items()
    ]
