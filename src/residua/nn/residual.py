"""The residual unit, the one class behind every skip connection, and the chain that hands context through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from residua.nn.drop import DropPath
from residua.nn.merge import Add, Merge
from residua.nn.recording import recorded
from residua.nn.statistics import frozen_statistics


class ContextModule(nn.Module):
    """A module whose ``forward`` takes keyword context (a mask, a time, a class) beside its input."""


class Segment(NamedTuple):
    """Children of a chain from ``start`` to before ``end``, of which the backward pass computes the inside again."""

    start: int
    end: int
    recomputed: bool = True


class Chain(nn.Sequential, ContextModule):  # pyright: ignore[reportIncompatibleVariableOverride]  # torch's _modules
    """A Sequential that passes context on to those of its children that take it."""

    recompute = False  # see ``set_grad_checkpointing``
    segments: Sequence[Segment] = ()  # see ``nn.segments``

    def forward(self, input: Tensor, **context: Any) -> Tensor:
        """Apply the children in order."""
        if not self.segments:
            return _run(partial(in_series, self), input, context, self, recompute=self.recompute)
        children = list(self)
        for start, end, recomputed in self.segments:
            part = children[start:end]
            input = _run(partial(in_series, part), input, context, *part, recompute=recomputed)
        return input


def in_series(modules: Iterable[nn.Module], x: Tensor, **context: Any) -> Tensor:
    """Apply modules in order, and hand the context to those that take it."""
    for module in modules:
        x = module(x, **context) if isinstance(module, ContextModule) else module(x)
    return x


class Residual(ContextModule):
    """``y = activation(merge(x, shortcut(x), drop_path(branch(x))))`` (He et al. 2015, eq. 1 and 2).

    The sum is a module of its own (``merge``), so hooks can see what goes into it and what comes out. It says too what
    the branch sees of ``x`` (``merge.read``): all of it, unless ``x`` holds several streams.

    Args:
        branch: the residual function F; gets the unit's context if it is a ContextModule.
        shortcut: identity by default.
        merge: ``Add`` by default; ``BranchOnly`` makes the unit plain.
        activation: applied to the merged value; identity by default.
        drop_path: the branch's drop rate in [0, 1), per sample, or a ``DropPath``.

    Shapes: input ``(N, ...)``; what shortcut and branch give must fit the merge (equal shapes for ``Add``).

    """

    def __init__(
        self,
        branch: nn.Module,
        shortcut: nn.Module | None = None,
        *,
        merge: Merge | None = None,
        activation: nn.Module | None = None,
        drop_path: float | DropPath = 0.0,
    ) -> None:
        super().__init__()
        self.branch = branch
        self.shortcut = nn.Identity() if shortcut is None else shortcut
        self.merge = Add() if merge is None else merge
        self.activation = nn.Identity() if activation is None else activation
        self.drop_path = drop_path if isinstance(drop_path, DropPath) else DropPath(drop_path)
        self.recompute = False  # see ``set_grad_checkpointing``

    def forward(self, x: Tensor, **context: Any) -> Tensor:
        """Apply the unit to ``x``."""
        return _run(self._unit, x, context, self, recompute=self.recompute)

    def _unit(self, x: Tensor, **context: Any) -> Tensor:
        shortcut = self.shortcut(x)
        skips = self.drop_path.skips_batch(x)
        if skips is True:
            return self.activation(self.merge.without_branch(x, shortcut))
        seen = self.merge.read(x)
        branch = self.branch(seen, **context) if isinstance(self.branch, ContextModule) else self.branch(seen)
        merged = self.merge(x, shortcut, self.drop_path(branch))
        if skips is not False:  # a draw of the graph that is captured
            merged = torch.where(skips, self.merge.without_branch(x, shortcut), merged)
        return self.activation(merged)


def residual_units(model: nn.Module) -> dict[str, Residual]:
    """Every ``Residual`` of a model by its module name, in the order of registration (which is that of depth)."""
    return {name: module for name, module in model.named_modules() if isinstance(module, Residual)}


def _run(
    compute: Callable[..., Tensor],
    x: Tensor,
    context: dict[str, Any],
    *modules: nn.Module,
    recompute: bool,
) -> Tensor:
    """``compute(x)``, done by ``modules``; to ``recompute`` is to keep only ``x`` for the backward pass."""
    training = any(module.training for module in modules)
    if recompute and training and torch.is_grad_enabled() and not recorded(x):
        frozen = lambda: (nullcontext(), frozen_statistics(*modules))  # noqa: E731
        return checkpoint(compute, x, use_reentrant=False, context_fn=frozen, **context)
    return compute(x, **context)
