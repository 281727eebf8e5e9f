"""What autograd keeps of a forward pass for the backward pass."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Held(torch.autograd.graph.saved_tensors_hooks):
    """While open, counts the bytes that autograd keeps: every storage once, without the network's parameters."""

    def __init__(self, network: nn.Module) -> None:
        self._parameters = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
        self._sizes: dict[int, int] = {}
        super().__init__(self._pack, lambda tensor: tensor)

    def _pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._parameters:
            self._sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    @property
    def bytes(self) -> int:
        """What is kept so far."""
        return sum(self._sizes.values())
