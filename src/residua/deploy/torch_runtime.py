"""A network of torch's as a Runtime: of runs and weight files, in the precision that it was trained in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from residua.deploy.deployable import Deployable
from residua.deploy.runtime import Outputs
from residua.nn.layout import place, suited

_FROZEN: dict[str, Any] = {
    "freezing": True
}  # the weights change no more: inductor packs them for its kernels


class TorchRuntime:
    """A network that is given pixels, in channels_last memory on any device.

    Args:
        network: of images or volumes; it is moved, and set to evaluation mode.
        mean: a number a channel, of images scaled to [0, 1].
        std: likewise.
        dtype: of what it is given: ``"uint8"``, or ``"float32"`` that is scaled already.
        device: as torch calls it.
        precision: ``"float32"`` or ``"bfloat16"``.
        compile: whether torch compiles it, anew for each number of images, with the weights as constants.

    """

    def __init__(
        self,
        network: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        *,
        dtype: str = "uint8",
        device: str = "cpu",
        precision: str = "float32",
        compile: bool = False,
    ) -> None:
        self._device, self._bfloat16 = torch.device(device), precision == "bfloat16"
        place(network.eval(), device, torch.channels_last)
        full = 255.0 if dtype == "uint8" else 1.0
        self._module = Deployable(network, mean, std, full=full).to(device)
        self._run = torch.compile(self._module, dynamic=False, options=_FROZEN) if compile else self._module

    def __call__(self, images: np.ndarray) -> Outputs:
        """The outputs for images (N, C, H, W), or volumes (N, C, D, H, W)."""
        given = torch.from_numpy(np.require(images, requirements=("C", "W"))).to(self._device)
        kind = self._device.type
        with torch.inference_mode(), torch.autocast(kind, torch.bfloat16, enabled=self._bfloat16):
            found = self._run(given.contiguous(memory_format=suited(torch.channels_last, given.ndim)))
        named = zip(self._module.outputs, found, strict=True)
        return {name: one.float().cpu().numpy() for name, one in named}
