"""A network without its numbers: its modules on torch's meta device, and the shapes that flow through."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from residua.errors import ResiduaError, UsageError
from residua.meta import without_numbers
from residua.registry import build
from residua.spec import ModelSpec


class _ShapesOnly(TorchFunctionMode):
    """Skips norms and ReLUs, which keep the shape: torch computes it by decompositions in Python, most of a trace."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        meta = bool(args) and isinstance(args[0], Tensor) and args[0].is_meta
        if meta and func is F.relu:
            return args[0]
        # a norm of other channels is torch's to refuse
        if meta and func is F.batch_norm and args[1] is not None and args[0].shape[1:2] == args[1].shape:
            return args[0]
        return func(*args, **(kwargs or {}))


@dataclass(frozen=True)
class Call:
    """One call of a module in a forward pass; shapes are without the batch dimension."""

    name: str
    module: nn.Module
    input: tuple[int, ...]
    output: tuple[int, ...]


def skeleton(model: nn.Module | ModelSpec) -> nn.Module:
    """A copy of ``model`` on the meta device, in evaluation mode, without its hooks; ``model`` is untouched.

    Raises ResiduaError if the model cannot be copied.
    """
    if isinstance(model, ModelSpec):
        with without_numbers():
            return build(model).eval()
    numbers: dict[int, Any] = {
        id(p): nn.Parameter(p.detach().to("meta"), p.requires_grad) for p in model.parameters()
    }
    numbers |= {id(b): b.detach().to("meta") for b in model.buffers()}
    try:
        copied = copy.deepcopy(model, numbers)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ResiduaError(f"cannot copy {type(model).__name__} to count in it: {_line(error)}") from error
    for module in copied.modules():
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
    return copied.eval()


def trace(bare: nn.Module, input_shape: Sequence[int]) -> list[Call]:
    """The calls of every module of a skeleton, in the order in which they end, for one input.

    Only calls that take a tensor first and give a tensor are listed. Raises UsageError where the network
    refuses the input, and ResiduaError where it cannot run without numbers.
    """
    if not input_shape or any(type(size) is not int or size < 1 for size in input_shape):
        raise UsageError(f"an input shape is a list of whole numbers above 0, not {list(input_shape)}")
    calls: list[Call] = []
    handles = []
    for name, module in bare.named_modules():

        def record(module: nn.Module, args: Any, output: Any, name: str = name) -> None:
            if args and isinstance(args[0], Tensor) and isinstance(output, Tensor):
                calls.append(Call(name, module, tuple(args[0].shape[1:]), tuple(output.shape[1:])))

        handles.append(module.register_forward_hook(record))
    dtype = next((p.dtype for p in bare.parameters() if p.is_floating_point()), torch.float32)
    spec = getattr(bare, "spec", None)
    if isinstance(spec, ModelSpec) and spec.takes_tokens:
        dtype = torch.int64
    try:
        with torch.no_grad(), _ShapesOnly(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a network says of small images, it says when it is used
            bare(torch.empty(1, *input_shape, dtype=dtype, device="meta"))
    except UsageError:
        raise
    except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError) as error:
        shape = "x".join(map(str, input_shape))
        raise ResiduaError(
            f"{type(bare).__name__} does not run on an input of {shape}: {_line(error)}"
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
