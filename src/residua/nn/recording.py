"""Whether a graph is being recorded: what stands in for a value then has none that Python could decide by."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Proxy


def recorded(x: Tensor) -> bool:
    """Whether ``torch.fx``, ``torch.jit.trace`` or ``torch.export`` records what happens to ``x``.

    Inputs are not checked then: what is recorded is the arithmetic alone, which other tools know.
    """
    return isinstance(x, Proxy) or torch.compiler.is_exporting() or torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]  # torch.jit documents it


def captured(x: Tensor) -> bool:
    """Whether one graph is made for every call: ``recorded``, or by ``torch.compile`` or ``torch.export``."""
    return recorded(x) or torch.compiler.is_compiling()


def as_leaf(module: nn.Module, x: Any) -> Any:
    """Record a call of ``module`` as a whole, for what ``torch.fx`` cannot look into (a loop that values decide)."""
    return x.tracer.create_proxy("call_module", x.tracer.path_of_module(module), (x,), {})
