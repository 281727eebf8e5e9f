"""What runs a network on images, whatever it was written for: the formats of artifacts, and torch itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from residua.deploy.artifact import Artifact
from residua.errors import ResiduaError, UsageError
from residua.machine import extras
from residua.parts import find
from residua.spec import PartSpec

if TYPE_CHECKING:
    from torch import nn

    from residua.deploy.program import Program

Outputs = dict[str, np.ndarray]


class Runtime(Protocol):
    """A network, ready to be asked; pixels go in, normalised inside. May be called by several threads at once."""

    def __call__(self, images: np.ndarray) -> Outputs:
        """The outputs for images, uint8 (N, C, H, W); or for volumes, float32 (N, C, D, H, W) in [0, 1].

        ``"logits"``: float32 (N, K). Where the head is pooling and one layer, ``"cam"``: float32 (N, h, w), the
        class-activation map of the top class (Zhou et al. 2016, sec. 2): its mean is the logit without its bias.
        """
        ...


class Quantizer(Protocol):
    """What writes a network in int8."""

    layers: tuple[str, ...]  # convolutions and fully connected layers by name, in order

    def write(self, folder: Path, floats: frozenset[str]) -> None:
        """Write the files of the model, int8 but for the layers ``floats``."""
        ...


@dataclass(frozen=True, kw_only=True)
class Format(PartSpec):
    """A format of artifacts: how it is written, and how it is opened. One file of ``residua.deploy.formats`` each."""

    slot: ClassVar[str] = "format"
    extra: ClassVar[str] = ""  # of residua's package, that brings what it needs
    precisions: ClassVar[Mapping[str, str]]  # those that it has, with what is computed in what

    @abstractmethod
    def write(self, folder: Path, program: Program, precision: str) -> None:
        """Write the files of the model, in one of its precisions but int8."""

    def quantizer(self, program: Program, images: np.ndarray) -> Quantizer:
        """What writes the model in int8, calibrated on images as the network takes them (N, C, H, W).

        Raises UsageError if the format has no int8.
        """
        raise UsageError(f"the format {self.kind} has no int8")

    @abstractmethod
    def open(self, artifact: Artifact, threads: int | None) -> Runtime:
        """The runtime of an artifact. Raises ResiduaError for a file that it refuses."""


def open_runtime(artifact: Artifact, threads: int | None = None) -> Runtime:
    """What runs an artifact, on ``threads`` threads (by default as many as the runtime takes by itself).

    Raises ResiduaError if the format is unknown, if what it needs is not installed, and for a damaged model file.
    """
    format: Format = find("format", artifact.format)()
    require(format.extra, f"the format {artifact.format}")
    return format.open(artifact, threads)


def require(extra: str, what: str) -> None:
    """Raise ResiduaError with the command that installs an extra of residua's, if it is not there."""
    missing = [name for name, version in extras().get(extra, {}).items() if version is None]
    if missing:
        raise ResiduaError(f'{what} needs {", ".join(missing)}: pip install "residua[{extra}]"')


class EagerRuntime:
    """A torch module in evaluation mode that maps images to a tuple of ``names``: a ``Deployable``, or a program."""

    def __init__(self, module: nn.Module, names: Sequence[str]) -> None:
        self._module, self._names = module, tuple(names)

    def __call__(self, images: np.ndarray) -> Outputs:
        """Run it."""
        import torch

        with torch.inference_mode():
            found = self._module(torch.from_numpy(np.ascontiguousarray(images)))
        return {name: one.float().numpy() for name, one in zip(self._names, found, strict=True)}
