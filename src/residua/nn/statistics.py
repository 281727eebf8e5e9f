"""What a norm keeps of the batches that it has seen, where a batch is passed through more than once, or in parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from residua.nn.spectral import SpectralNorm


@contextmanager
def frozen_statistics(*modules: nn.Module) -> Iterator[None]:
    """While open, a forward pass of the modules moves no batch statistics and no singular vectors."""
    # norms move copies, which are thrown away: what is saved for the backward pass keeps its shape (torch asks that of
    # a second pass), and no attribute changes that compiled code depends on
    inside = [inner for module in modules for inner in module.modules()]
    kept = [
        (norm, dict(norm._buffers)) for norm in inside if isinstance(norm, nn.modules.batchnorm._NormBase)
    ]
    spectral = [layer for layer in inside if isinstance(layer, SpectralNorm)]
    for norm, buffers in kept:
        norm._buffers.update({name: None if b is None else b.clone() for name, b in buffers.items()})
    for layer in spectral:
        layer.iterates = False
    try:
        yield
    finally:
        for layer in spectral:
            layer.iterates = True
        for norm, buffers in kept:
            norm._buffers.update(buffers)


class StatisticsOfParts:
    """Batch statistics that move once, by the mean of the parts', when a batch is passed through in parts.

    Call ``add`` after each part and ``settle`` after the last. Of norms that are in training mode.
    """

    def __init__(self, network: nn.Module) -> None:
        norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._NormBase) and m.training]
        self._buffers = [buffer for norm in norms for buffer in norm.buffers(recurse=False)]
        self._before = [buffer.clone() for buffer in self._buffers]
        self._totals = [buffer.new_zeros(buffer.shape) for buffer in self._buffers]

    def add(self, samples: int) -> None:
        """Take what a part of so many samples has left, and put back what was before it."""
        for buffer, before, total in zip(self._buffers, self._before, self._totals, strict=True):
            if buffer.is_floating_point():
                total.add_(buffer, alpha=samples)
            else:  # the number of batches: of parts it is that of one
                total.copy_(buffer)
            buffer.copy_(before)

    def settle(self, samples: int) -> None:
        """Put the mean in place; ``samples`` are those of all parts."""
        for buffer, total in zip(self._buffers, self._totals, strict=True):
            buffer.copy_(total / samples if buffer.is_floating_point() else total)
