"""Optimisers, and their state as plain tensors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from residua.spec import Recipe


def make_optimizer(model: nn.Module, recipe: Recipe) -> Optimizer:
    """The optimiser that the recipe names, fused; norms and biases (1-d parameters) decay as ``decay_norm`` says."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    decay_all = recipe.optimizer == "sgd" if recipe.decay_norm is None else recipe.decay_norm
    groups: list[dict[str, Any]] = [{"params": parameters, "weight_decay": recipe.weight_decay}]
    if not decay_all:
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
    optimizer = _MAKERS[recipe.optimizer]([group for group in groups if group["params"]], recipe)
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    return optimizer


def take_step(optimizer: Optimizer, recipe: Recipe) -> None:
    """Clip the gradients if the recipe says so, step, and drop them."""
    if recipe.clip_norm is not None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, recipe.clip_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _sgd(groups: list[dict[str, Any]], recipe: Recipe) -> Optimizer:
    optimizer = torch.optim.SGD(
        groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=recipe.nesterov, fused=True
    )
    if recipe.momentum:
        # fused SGD cannot start a buffer later than the others, as a unit skipped at first would
        for parameter in (p for group in optimizer.param_groups for p in group["params"]):
            optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer


def _adamw(groups: list[dict[str, Any]], recipe: Recipe) -> Optimizer:
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=(recipe.momentum, recipe.beta2), fused=True)


_MAKERS = {"sgd": _sgd, "adamw": _adamw}


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
    parameters = [(p, group) for group in optimizer.param_groups for p in group["params"]]
    optimizer.state.clear()
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        parameter, group = parameters[int(index)]
        if value.shape == parameter.shape:
            value = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        else:  # AdamW's count of steps; fused kernels want it beside the parameter
            value = value.clone().to(parameter.device if group.get("fused") else value.device)
        optimizer.state[parameter][name] = value
