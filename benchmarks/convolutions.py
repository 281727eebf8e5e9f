"""The limit of a training step: its convolutions and matrix products alone, forward and backward."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def convolutions_alone(model: nn.Module, images: Tensor, *, bf16: bool) -> Callable[[], object]:
    """A function that computes every convolution and linear layer of ``model`` for ``images``, and their gradients.

    As a training step does, the first layer's input gets none. Inputs of one shape are one tensor: what memory costs
    a step is left out, so no step can be quicker.
    """
    model = copy.deepcopy(model)
    dtype = torch.bfloat16 if bf16 else torch.float32
    calls: list[tuple[nn.Module, tuple[int, ...]]] = []

    def note(module: nn.Module, args: tuple[Any, ...]) -> None:
        calls.append((module, tuple(args[0].shape)))

    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    handles = [layer.register_forward_pre_hook(note) for layer in layers]
    with torch.no_grad():
        model(images)
    for handle in handles:
        handle.remove()
    inputs: dict[tuple[int, ...], Tensor] = {}
    work: list[tuple[nn.Module, Tensor, list[Tensor], Tensor]] = []
    for number, (layer, shape) in enumerate(calls):
        alone = layer.to(dtype)
        x = torch.randn(shape, dtype=dtype)
        if len(shape) == 4:
            x = x.contiguous(memory_format=torch.channels_last)
            alone = alone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        x = inputs.setdefault(shape, x.requires_grad_())
        wanted = [*alone.parameters(), *([x] if number else [])]
        work.append((alone, x, wanted, torch.randn_like(alone(x))))

    def run() -> None:
        for layer, x, wanted, gradient in work:
            torch.autograd.grad(layer(x), wanted, gradient)

    return run
