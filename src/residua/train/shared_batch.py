"""A network that sees some rows of a batch, of which other processes see the rest, and computes as if it saw them all.

While ``shared`` is open, batch norms take the statistics of the whole batch (torch's ``SyncBatchNorm`` takes no tensors
of a CPU, and is another module), and what is drawn for each sample (dropout, stochastic depth) is drawn for the whole
batch, so that a sample's draws follow its place in it. The modules stay as they are: they are lent another ``forward``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm

from residua.nn.drop import DropPath, kept_samples
from residua.train.processes import Processes


@contextmanager
def shared(network: nn.Module, processes: Processes, batch: Any) -> Iterator[None]:
    """While open, forward and backward passes of ``network`` are of this process's share of ``batch``."""
    if processes.count == 1:
        yield
        return
    rows = _rows(batch)
    share = processes.share(rows)
    forwards: dict[type, Callable[[Any], Callable[[Tensor], Tensor]]] = {
        _BatchNorm: lambda norm: partial(_normalized, norm, processes, type(norm).forward),
        nn.Dropout: lambda dropout: partial(_dropped_out, dropout, share, rows),
        DropPath: lambda drop: partial(_dropped, drop, share, rows, type(drop).forward),
    }
    lent = []
    for module in network.modules():
        for kind, make in forwards.items():
            if isinstance(module, kind):
                lent.append(module)
                module.forward = make(module)
    try:
        yield
    finally:
        for module in lent:
            del module.forward


def _dropped_out(dropout: nn.Dropout, share: slice, rows: int, x: Tensor) -> Tensor:
    if not dropout.training or not dropout.p:
        return x
    whole = torch.ones_like(x[:1].expand(rows, *x.shape[1:]), memory_format=_format(x))
    return x * F.dropout(whole, dropout.p)[share]


def _dropped(
    drop: DropPath, share: slice, rows: int, forward: Callable[[DropPath, Tensor], Tensor], branch: Tensor
) -> Tensor:
    if drop.mode == "batch" or not drop.training or not drop.rate:
        return forward(drop, branch)
    return branch * kept_samples(branch[:1].expand(rows, *branch.shape[1:]), 1 - drop.rate)[share]


def _format(x: Tensor) -> torch.memory_format:
    for dimensions, channels_last in ((4, torch.channels_last), (5, torch.channels_last_3d)):
        if x.ndim == dimensions and x.is_contiguous(memory_format=channels_last):
            return channels_last
    return torch.contiguous_format


def _normalized(
    norm: _BatchNorm, processes: Processes, forward: Callable[[_BatchNorm, Tensor], Tensor], x: Tensor
) -> Tensor:
    """As ``_BatchNorm.forward`` in training: normalised by the batch, and the running statistics moved."""
    if not norm.training:
        return forward(norm, x)
    norm._check_input_dim(x)
    y, mean, variance, count = _Normalize.apply(x, norm.weight, norm.bias, norm.eps, processes)
    if norm.track_running_stats and norm.running_mean is not None and norm.running_var is not None:
        factor = norm.momentum
        if norm.num_batches_tracked is not None:  # None: a second pass, which moves nothing
            norm.num_batches_tracked.add_(1)
            factor = 1 / float(norm.num_batches_tracked) if factor is None else factor
        unbiased = variance * (count / (count - 1).clamp(min=1))
        norm.running_mean.lerp_(mean.to(norm.running_mean), factor or 0.0)
        norm.running_var.lerp_(unbiased.to(norm.running_var), factor or 0.0)
    return y


class _Normalize(torch.autograd.Function):
    """Batch normalisation over the processes; one exchange forward (moments), one backward (two sums a channel)."""

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]  # torch names no arguments
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, processes: Processes
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mean, variance = torch.batch_norm_update_stats(x, None, None, 0.0)  # (C,), the variance biased
        samples = mean.new_full((1,), x.numel() / x.shape[1], dtype=torch.float64)
        of_all = processes.beside(torch.cat([mean.double(), variance.double(), samples]))
        means, variances, counts = of_all.split([len(mean), len(mean), 1], 1)  # (P, C), (P, C), (P, 1)
        count = counts.sum()
        whole = (counts * means).sum(0) / count
        spread = (counts * (variances + (means - whole).square())).sum(0) / count
        mean, variance, scale = (part.to(mean) for part in (whole, spread, (spread + eps).rsqrt()))
        ctx.save_for_backward(x, weight, mean, scale, count)
        ctx.eps, ctx.processes = eps, processes
        ctx.mark_non_differentiable(mean, variance, count)
        return F.batch_norm(x, mean, variance, weight, bias, False, 0.0, eps), mean, variance, count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor, *_: Any) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, weight, mean, scale, count = ctx.saved_tensors
        _, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            dy, x, weight, mean, mean, mean, scale, True, ctx.eps, [False, True, True]
        )
        along_x, along_1 = ctx.processes.added(torch.stack([of_weight, of_bias]).double()) / count
        # dx = a (dy - mean(dy) - xhat mean(dy xhat)) with a = scale weight: one factor of dy, one of x, a constant
        a = scale.double() if weight is None else scale.double() * weight
        b = -a * scale * along_x
        c = -a * along_1 - b * mean
        a, b, c = (part.to(mean).view(-1, *[1] * (x.ndim - 2)) for part in (a, b, c))
        dx = torch.addcmul(dy * a + c, x, b).to(x.dtype)
        return dx, *((None, None) if weight is None else (of_weight, of_bias)), None, None


def cut(batch: Any, processes: Processes) -> Any:
    """This process's rows of a batch: a tuple, or a dataclass, of what has a row for each sample.

    Raises ResiduaError if there are fewer rows than processes.
    """
    if processes.count == 1:
        return batch
    share = processes.share(_rows(batch))
    parts = [part[share] for part in _parts(batch)]
    return tuple(parts) if type(batch) in (tuple, list) else type(batch)(*parts)


def _rows(batch: Any) -> int:
    return len(_parts(batch)[0])


def _parts(batch: Any) -> Sequence[Any]:
    if is_dataclass(batch):
        return [getattr(batch, each.name) for each in fields(batch)]
    return batch
