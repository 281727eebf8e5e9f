"""How much gradient reaches each unit and each layer, in one network and over its training."""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from residua.analysis.unit_calls import classification_loss, exact_copy
from residua.analysis.unit_parts import Kind, kind_of
from residua.analysis.untouched import untouched
from residua.errors import UsageError
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
            value.register_hook(lambda grad: norms.__setitem__(key, _norm(grad)))

    def entered(name: str, _: nn.Module, args: Any) -> None:
        watch(args[0], (name, "input"))

    def merged(name: str, _: nn.Module, __: Any, output: Tensor) -> None:
        watch(output, (name, "merge"))

    with untouched(model) as handles, torch.enable_grad():
        for name, unit in units.items():
            handles.append(unit.register_forward_pre_hook(partial(entered, name)))
            handles.append(unit.merge.register_forward_hook(partial(merged, name)))
        images = images.detach().clone().requires_grad_()  # so that frozen parameters hide no unit
        loss = classification_loss(model(images), labels)
        sources = [images, *(p for p in model.parameters() if p.requires_grad)]  # every way back is walked
        torch.autograd.grad(loss, sources, allow_unused=True)
    return [
        UnitGradient(unit=name, kind=kind_of(unit), norm=norms[name, "input"], merged=norms[name, "merge"])
        for name, unit in units.items()
    ]


def training_step_gradients(
    model: nn.Module, images: Tensor, labels: Tensor, *, seed: int = 0
) -> list[UnitGradient]:
    """``gradient_norms`` of a training step, in float64 and on a copy; ``seed`` is that of dropout and drop path.

    Raises UsageError for a single image.
    """
    check_batch(images)
    exact = exact_copy(model).train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return gradient_norms(exact, images.double(), labels)


def check_batch(images: Tensor) -> None:
    """Raise UsageError for images that are no batch of a training step."""
    if len(images) < 2:
        raise UsageError("a training step needs at least 2 images: batch statistics of one are no statistics")


@dataclass(frozen=True, kw_only=True)
class LayerGradient:
    """L2 norms at the parameters of one layer (weight and bias together)."""

    layer: str
    gradient: float
    weights: float


def layer_gradients(model: nn.Module, images: Tensor, labels: Tensor) -> list[LayerGradient]:
    """Gradient of the mean cross entropy at every layer's own parameters, in the order of registration.

    Frozen parameters are left out; a layer that the loss does not depend on has 0. Arguments, mode and what is left
    unchanged are those of ``gradient_norms``.
    """
    owned = {
        name: [p for p in module.parameters(recurse=False) if p.requires_grad]
        for name, module in model.named_modules()
    }
    parameters = list({id(p): p for own in owned.values() for p in own}.values())
    if not parameters:
        return []
    with untouched(model), torch.enable_grad():
        loss = classification_loss(model(images.detach()), labels)
        found = torch.autograd.grad(loss, parameters, allow_unused=True)
    gradients = {
        id(p): torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)
    }
    return [
        LayerGradient(
            layer=name,
            gradient=math.hypot(*(_norm(gradients[id(p)]) for p in own)),
            weights=math.hypot(*(_norm(p.detach()) for p in own)),
        )
        for name, own in owned.items()
        if own
    ]


@dataclass(frozen=True, kw_only=True)
class EpochGradients:
    """The gradients at the units after one epoch of training."""

    epoch: int
    units: list[UnitGradient]


def gradients_over_training(
    model: nn.Module,
    states: Iterable[tuple[int, Mapping[str, Tensor]]],
    images: Tensor,
    labels: Tensor,
) -> list[EpochGradients]:
    """``gradient_norms`` of a network as it was after several epochs, as in a training step.

    ``states`` gives (epoch, state dict) one after another: a generator that reads them needs memory for one. ``model``
    is untouched: a copy of it is filled. Raises UsageError for a state of another network.
    """
    check_batch(images)
    copied = copy.deepcopy(model).train()
    found = []
    for epoch, state in states:
        try:
            copied.load_state_dict(dict(state))
        except RuntimeError as error:
            raise UsageError(
                f"the state of epoch {epoch} is not one of this {type(model).__name__}"
            ) from error
        found.append(EpochGradients(epoch=epoch, units=gradient_norms(copied, images, labels)))
    return found


def _norm(values: Tensor) -> float:
    wide = torch.promote_types(values.dtype, torch.float32)  # the squares of bfloat16 need more
    return float(torch.linalg.vector_norm(values, dtype=wide))
