"""A batch that is passed through the network in parts: gradients add up, and a step sees one batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor


def tensors_of(batch: Any) -> list[Tensor]:
    """The tensors of a batch: one, a tuple or a dataclass of them; none of what is something else."""
    if is_dataclass(batch):
        batch = [getattr(batch, field.name) for field in fields(batch)]
    parts = batch if isinstance(batch, list | tuple) else [batch]
    return [part for part in parts if isinstance(part, Tensor)]


def parts_of(batch: Any, count: int) -> Iterator[tuple[int, Any]]:
    """A batch in ``count`` parts as equal as can be, each with the number of its samples.

    ``batch`` is a tuple of tensors, or a dataclass of them, and so are its parts; samples stand along the first
    dimension. A batch of fewer samples has fewer parts.
    """
    tensors = tensors_of(batch)
    divided = [torch.tensor_split(tensor, min(count, len(tensors[0]))) for tensor in tensors]
    for parts in zip(*divided, strict=True):
        yield len(parts[0]), type(batch)(*parts) if is_dataclass(batch) else tuple(parts)


def added(sums: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Sums over two parts, from those over each; ``sums`` may be empty."""
    return {name: sums[name] + value if name in sums else value for name, value in more.items()}


def above_zero(count: Tensor) -> Tensor:
    """What to divide by: where nothing counts, all sums are 0 and so is their mean."""
    return count + (count == 0)


def divide_gradients(parameters: list[Tensor], weight: Tensor) -> None:
    """Gradients of a sum over samples become those of its mean."""
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad.div_(weight.to(parameter.grad.device))
