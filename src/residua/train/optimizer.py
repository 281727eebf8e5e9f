"""Optimisers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
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
