"""torch itself: as most scripts run it, in channels_last memory, and compiled."""

from __future__ import annotations

import copy
from abc import ABC
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from residua.deploy.backend import Backend, Material
from residua.deploy.runtime import Outputs, Runtime
from residua.deploy.torch_runtime import TorchRuntime
from residua.machine import compiler
from residua.parts import register

_NAMES = {"fp32": "float32", "bf16": "bfloat16"}


@register
@dataclass(frozen=True, kw_only=True)
class Eager(Backend):
    """Contiguous and in float32, as stock PyTorch: what all others are compared with."""

    kind: ClassVar[str] = "eager"

    def prepare(self, material: Material, precision: str, folder: Path) -> Runtime:  # noqa: D102
        network, images = copy.deepcopy(material.trained.model).eval(), material.trained.images
        mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (images.mean, images.std))

        @torch.inference_mode()
        def run(images: np.ndarray) -> Outputs:
            pixels = torch.from_numpy(images).float().div_(255)
            return {"logits": network((pixels - mean) / std).numpy()}

        return run


class _Tuned(Backend, ABC):
    """residua's own module, in channels_last memory."""

    precisions: ClassVar[tuple[str, ...]] = ("fp32", "bf16")
    compile: ClassVar[bool] = False

    def prepare(self, material: Material, precision: str, folder: Path) -> Runtime:
        network, images = copy.deepcopy(material.trained.model), material.trained.images
        mean, std = images.mean or (), images.std or ()
        return TorchRuntime(network, mean, std, precision=_NAMES[precision], compile=self.compile)


@register
@dataclass(frozen=True, kw_only=True)
class ChannelsLast(_Tuned):
    """What ``Predictor`` runs of a run or a weight file."""

    kind: ClassVar[str] = "channels_last"


@register
@dataclass(frozen=True, kw_only=True)
class Compiled(_Tuned):
    """The same through ``torch.compile``, its weights frozen."""

    kind: ClassVar[str] = "compiled"
    compile: ClassVar[bool] = True

    def lacks(self, precision: str) -> str:  # noqa: D102
        if compiler().problem:
            return f"torch.compile needs a C++ compiler, and {compiler().name}: {compiler().problem}"
        return super().lacks(precision)
