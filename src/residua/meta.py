"""Networks without numbers: built on torch's meta device, where tensors have shapes and no values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_FILLS = {
    "normal_",
    "uniform_",
    "fill_",
    "zero_",
    "ones_",
    "zeros_",
    "constant_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "trunc_normal_",
}


class _NoFill(TorchFunctionMode):
    """Leaves meta tensors alone where they would be filled: they hold no values, and calling takes time."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in _FILLS:
            tensor = args[0] if args else kwargs.get("tensor")
            if isinstance(tensor, Tensor) and tensor.is_meta:
                return tensor
        return func(*args, **kwargs)


@contextmanager
def without_numbers() -> Iterator[None]:
    """What is built inside is on the meta device, and nothing is drawn for it."""
    with torch.device("meta"), _NoFill():
        yield
