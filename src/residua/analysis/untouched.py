"""What every look inside a network needs: a model that afterwards is as before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle


@contextmanager
def untouched(model: nn.Module) -> Iterator[list[RemovableHandle]]:
    """While open, hooks are collected in the list; then they are removed and every buffer gets its old value.

    Batch statistics are buffers, so a model in training mode can be looked at too.
    """
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    handles: list[RemovableHandle] = []
    try:
        yield handles
    finally:
        for handle in handles:
            handle.remove()
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)


@contextmanager
def predicting(model: nn.Module) -> Iterator[None]:
    """While open, the model is in evaluation mode; then every module is in the mode that it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
