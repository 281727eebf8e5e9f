"""Where channels stand in memory, for images and volumes alike."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)

# channels_last of images, by the number of dimensions with the batch; other tensors have one layout only
_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def suited(memory_format: torch.memory_format, dimensions: int) -> torch.memory_format:
    """What a plan's ``memory_format`` means for a tensor of so many dimensions, its batch included."""
    if memory_format is torch.channels_last:
        return _CHANNELS_LAST.get(dimensions, torch.contiguous_format)
    return memory_format


def place(network: Network, device: torch.device | str, memory_format: torch.memory_format) -> Network:
    """Move a network to a device and lay its weights out, 2-D and 3-D convolutions each in their own way."""
    network.to(device)
    for tensor in (*network.parameters(), *network.buffers()):
        tensor.data = tensor.data.contiguous(memory_format=suited(memory_format, tensor.ndim))
    return network
