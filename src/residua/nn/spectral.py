"""Spectral normalisation (Miyato et al. 2018): a layer divides its weight by an estimate of its largest singular value.

The estimate comes from power iteration, one step at each forward pass in training mode (Algorithm 1). Its vectors
``u`` and ``v`` are buffers: they are saved, so that a resumed training goes on bit for bit. ``weight`` keeps its name
and is the unnormalised weight: a normalised network has the keys of the same network without, and two buffers a layer
more.

What is normalised is the weight as a matrix ``(out, in * kernel height * kernel width)``, as the paper does (sec. 2.1).
Of a fully connected layer and of a 1x1 convolution with stride 1 this is the Lipschitz constant; that of a kxk
convolution with stride 1 is at most k times as large, because each pixel enters k*k windows.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_FIRST_STEPS = 15  # of power iteration for a fresh weight, as torch's own parametrisation does


class SpectralNorm(nn.Module):
    """What a spectrally normalised layer has beside its weight. Base of the layers below."""

    weight: Tensor
    u: Tensor  # (out,), the left singular vector
    v: Tensor  # (in * kernel,), the right one
    iterates = True  # ``frozen_statistics`` turns it off

    def settle(self) -> None:
        """Estimate the singular vectors of a weight that was drawn or loaded without them."""
        self._iterate(_FIRST_STEPS)

    def normalized(self) -> Tensor:
        """The weight divided by ``u . weight . v``; the gradient flows through both (Miyato et al. 2018, eq. 12)."""
        if self.training and self.iterates:
            self._iterate(1)
        u, v = self.u.clone(), self.v.clone()  # a later pass moves them, and this one's gradient needs them
        sigma = (self.weight.flatten(1) * u.outer(v)).sum()  # no matrix product: autocast would round it
        return self.weight / sigma

    def _start(self) -> None:
        rows, columns = self.weight.flatten(1).shape
        like = {"device": self.weight.device, "dtype": self.weight.dtype}
        self.register_buffer("u", F.normalize(torch.randn(rows, **like), dim=0))
        self.register_buffer("v", F.normalize(torch.randn(columns, **like), dim=0))
        self.settle()

    @torch.no_grad()
    def _iterate(self, steps: int) -> None:
        if self.weight.is_meta:  # there are no numbers
            return
        matrix = self.weight.flatten(1)
        with torch.autocast(matrix.device.type, enabled=False):
            for _ in range(steps):
                self.u.copy_(F.normalize(matrix @ self.v, dim=0))
                self.v.copy_(F.normalize(matrix.T @ self.u, dim=0))


class SpectralConv2d(SpectralNorm, nn.Conv2d):
    """A convolution with a spectrally normalised weight; arguments and shapes as ``nn.Conv2d``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._start()

    def forward(self, input: Tensor) -> Tensor:
        """Convolve."""
        return self._conv_forward(input, self.normalized(), self.bias)


class SpectralLinear(SpectralNorm, nn.Linear):
    """A fully connected layer with a spectrally normalised weight; arguments and shapes as ``nn.Linear``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._start()

    def forward(self, input: Tensor) -> Tensor:
        """Multiply and add."""
        return F.linear(input, self.normalized(), self.bias)
