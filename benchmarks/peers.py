"""Import the peers, torchvision and timm, also beside a CPU-only torch."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch


def import_torchvision() -> ModuleType:
    """torchvision without its compiled operators, which the index's wheel has for CUDA only.

    Its registration of those operators' shapes fails beside a CPU-only torch, and none of its models needs them.
    """
    register_fake = torch.library.register_fake

    def skip_missing(name: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(name, str) and name.startswith("torchvision::"):
            return lambda function: function
        return register_fake(name, *args, **kwargs)

    torch.library.register_fake = skip_missing
    try:
        import torchvision  # pyright: ignore[reportMissingImports]
    finally:
        torch.library.register_fake = register_fake
    return torchvision


def import_timm() -> ModuleType:
    """timm, which imports torchvision."""
    import_torchvision()
    import timm  # pyright: ignore[reportMissingImports]

    return timm
