"""An optimiser's state as plain tensors, and back."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim import Optimizer


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
