"""Optimisers, and their state as plain tensors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from residua.spec import Recipe


def sgd(model: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """SGD with momentum as the recipe says, fused; ``decay_norm=False`` spares norms and biases (1-d parameters)."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [{"params": parameters, "weight_decay": recipe.weight_decay}]
    if not recipe.decay_norm:
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
    optimizer = torch.optim.SGD(
        [group for group in groups if group["params"]],
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        fused=True,
    )
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    if (
        recipe.momentum
    ):  # fused SGD cannot start a buffer later than the others, as a unit skipped at first would
        for parameter in parameters:
            optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer


def state_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """The optimiser's state as ``"<parameter index>.<name>"`` to tensor. Every torch optimiser's state is tensors."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}.{name}": value
        for index, entry in state.items()
        for name, value in entry.items()
        if isinstance(value, Tensor)
    }


def load_state_tensors(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put state back; buffers get the memory layout of their parameters, as fused kernels expect.

    Raises ValueError or IndexError for tensors that are not this optimiser's.
    """
    if optimizer.state and tensors.keys() != state_tensors(optimizer).keys():
        raise ValueError("the tensors are not those of the optimiser")
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    optimizer.state.clear()
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        parameter = parameters[int(index)]
        if value.shape == parameter.shape:
            value = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        else:
            value = value.clone()
        optimizer.state[parameter][name] = value
