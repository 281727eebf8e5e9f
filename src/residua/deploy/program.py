"""A network as formats get it: folded, recorded for any batch and, where it can, any size."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from residua.deploy.deployable import Deployable
from residua.deploy.folding import fold_norms
from residua.errors import ResiduaError, UsageError


@dataclass(frozen=True, kw_only=True, eq=False)
class Program:
    """What a format is given to write."""

    module: Deployable  # folded
    exported: ExportedProgram  # the same, of images of any number
    dynamic_size: bool  # and of any height and width
    images: Tensor  # (N, C, H, W), what it was recorded with
    labels: tuple[str, ...]
    folding_error: float

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the outputs, in order."""
        return tuple(self.module.outputs)


def make_program(module: Deployable, images: Tensor, labels: Sequence[str] = ()) -> Program:
    """Fold and record a network; ``images`` (N, C, H, W), two or more, are what it is recorded and checked with.

    Raises ResiduaError in one line for a network that cannot be recorded, and if folding changes what it computes.
    """
    shown = images[:2]
    with quiet():
        resizes, found = _any_size(module, shown)
        folded, error = fold_norms(module, found, images)
        exported = recorded(folded, shown, dynamic_size=resizes)
        if resizes and not _same(exported.module(), folded, other_size(shown)):
            resizes, exported = False, recorded(folded, shown, dynamic_size=False)
    return Program(
        module=folded,
        exported=exported,
        dynamic_size=resizes,
        images=shown,
        labels=tuple(labels),
        folding_error=error,
    )


def other_size(images: Tensor) -> Tensor:
    """The images with their last rows and columns again, so that height and width are others."""
    height, width = images.shape[-2:]
    taller = torch.cat([images, images[..., -(height // 2) :, :]], -2)
    return torch.cat([taller, taller[..., -(width // 4) :]], -1) if width > 3 else taller


def _any_size(module: Deployable, images: Tensor) -> tuple[bool, ExportedProgram]:
    """Whether the network takes images of any size, as far as its recording tells; and the recording."""
    try:
        with torch.no_grad():
            module(other_size(images))
        return True, recorded(module, images, dynamic_size=True)
    except Exception:  # whatever an operation says to maps that it was not made for
        return False, recorded(module, images, dynamic_size=False)


def _same(program: Any, module: Deployable, images: Tensor) -> bool:
    """Whether a program answers as its network, on images of another size than it was recorded with."""
    try:
        with torch.no_grad():
            found, expected = program(images)[0], module(images)[0]
    except Exception:  # an assumption of the recording does not hold
        return False
    return found.shape == expected.shape and torch.allclose(found, expected, rtol=1e-3, atol=1e-3)


def recorded(module: Deployable, images: Tensor, *, dynamic_size: bool) -> ExportedProgram:
    """The program of a network, of images of any number. Raises ResiduaError in one line if it cannot be recorded."""
    dims = {0: Dim("batch")}
    if dynamic_size:
        dims |= {images.ndim - 2: Dim.DYNAMIC, images.ndim - 1: Dim.DYNAMIC}
    try:
        with torch.no_grad():
            return torch.export.export(copy.deepcopy(module), (images,), dynamic_shapes=(dims,), strict=False)
    except UsageError:
        raise
    except Exception as error:  # whatever the recording of an operation says
        reason = next(iter(str(error).splitlines()), "")
        raise ResiduaError(f"it cannot be recorded: {type(error).__name__}: {reason[:200]}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Exporters warn of their own future."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
