"""The tensors of a checkpoint file of any library. Nothing in the file is executed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from residua.convert.torch_files import NOT_PLAIN, StorageView, read_torch
from residua.errors import ResiduaError
from residua.names import shown
from residua.pickled import Stranger
from residua.weights.tensor_files import MOST_TENSORS, read_about, read_tensors

SUFFIXES = frozenset({".safetensors", ".pth", ".pt", ".th", ".bin", ".ckpt"})  # of checkpoints
_TIED = 64 << 20  # bytes that tensors may show twice, in files of any size


def is_safetensors(path: Path) -> bool:
    """Whether a file starts as a safetensors file does. Raises ResiduaError if it cannot be read."""
    return _start(path)[8:] == b"{"


def is_checkpoint(path: Path) -> bool:
    """Whether a file starts as a safetensors file, or as one of torch.save (a zip, formerly a pickle) does."""
    return is_safetensors(path) or _start(path).startswith((b"PK\x03\x04", b"\x80"))


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(9)
    except OSError as error:
        raise ResiduaError(f"cannot read {path}: {error.strerror or error}") from error


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds: dictionaries and lists, in which tensors are ``Tensor`` or ``StorageView``.

    ``strangers`` are the names of classes and functions in it that were not followed; ``read`` reads a ``StorageView``,
    given its name for messages.
    """

    path: Path
    content: Any
    size: int  # bytes on the disk
    strangers: tuple[str, ...] = ()
    read: Callable[[str, Any], Tensor] = lambda name, tensor: tensor

    def tensors(self, entries: Mapping[str, Any]) -> dict[str, Tensor]:
        """The tensors among ``entries``, each in its own memory; floating-point ones as float32.

        Raises ResiduaError, one line that names the file, for tensors that it does not hold, that are not plain, or
        that show more numbers than it has.
        """
        if len(entries) > MOST_TENSORS:
            raise ResiduaError(f"{self.path} is refused: no network known here has {len(entries):,} tensors")
        left = 2 * self.size + _TIED  # a tied tensor has two names
        plain = {}
        for name, entry in entries.items():
            tensor = self.read(short(name), entry) if isinstance(entry, StorageView) else entry
            if not isinstance(tensor, Tensor) or tensor.is_complex():
                raise ResiduaError(f"{self.path}: {short(name)} is not a plain tensor of real numbers")
            left -= tensor.numel() * tensor.element_size()
            if left < 0:
                raise ResiduaError(f"{self.path} claims more tensor data than the file has bytes")
            dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype
            plain[name] = tensor.to(dtype, copy=True).contiguous()
        return plain


def is_tensor(value: Any) -> bool:
    """Whether a value of a checkpoint is a tensor, be it plain or of a kind that is not read."""
    odd = isinstance(value, Stranger) and value.name.startswith((NOT_PLAIN, "torch._utils._rebuild_"))
    return odd or isinstance(value, Tensor | StorageView)


def read_file(path: Path) -> Checkpoint:
    """Open a file of safetensors or of ``torch.save``, whatever its suffix.

    Raises ResiduaError, one line that names the file, if it is missing, damaged, or none of these.
    """
    if is_safetensors(path):
        return Checkpoint(path, read_tensors(path)[0], path.stat().st_size)
    file = read_torch(path)
    return Checkpoint(path, file.content, path.stat().st_size, file.strangers, file.tensor)


def stated_data(path: Path) -> dict[str, Any]:
    """What residua wrote of the images into a file that it converted; empty for anybody else's."""
    data = read_about(path).get("data", {}) if is_safetensors(path) else {}
    return data if isinstance(data, dict) else {}


def few(names: Iterable[str]) -> str:
    """The first of many names, for a message."""
    listed = list(names)
    more = f", ... ({len(listed)} in all)" if len(listed) > 4 else ""
    return ", ".join(map(short, listed[:4])) + more


def short(name: str) -> str:
    """A name out of a file, for a message: on one line, and not too long."""
    return shown(name[:60])
