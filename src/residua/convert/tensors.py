"""The tensors of a checkpoint file of any library. Nothing in the file is executed."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from residua.errors import ResiduaError
from residua.models.weights import read_about, read_tensors

_WRAPPERS = ("state_dict", "model", "net")  # keys under which trainers keep the network beside other things
_PREFIXES = ("module.", "_orig_mod.")  # what DataParallel and torch.compile put before every name


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


def read_any(path: Path) -> dict[str, Tensor]:
    """Read the named tensors of a ``.safetensors``, ``.pth``, ``.th`` or ``.pt`` file, without wrappers.

    Floating-point tensors come as float32. Raises ResiduaError, one line that names the file, for a file that
    is missing, damaged, holds code or objects, or claims more tensors than it has bytes.
    """
    content: Any = read_tensors(path)[0] if is_safetensors(path) else _read_torch(path)
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping):
        raise ResiduaError(f"{path} holds a {type(content).__name__}, not the named tensors of a network")
    tensors = {
        key: value for key, value in content.items() if isinstance(key, str) and isinstance(value, Tensor)
    }
    if not tensors:
        raise ResiduaError(
            f"{path} holds no named tensors; looked at the top and under {', '.join(_WRAPPERS)}"
        )
    for name, tensor in tensors.items():
        if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_meta or tensor.is_complex():
            raise ResiduaError(f"{path}: {name} is not a plain tensor of real numbers")
    if sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()) > path.stat().st_size:
        raise ResiduaError(f"{path} claims more tensor data than the file has bytes")  # views of one number
    return {_bare(name): _plain(tensor) for name, tensor in tensors.items()}


def stated_data(path: Path) -> dict[str, Any]:
    """What residua wrote of the images into a file that it converted; empty for anybody else's."""
    data = read_about(path).get("data", {}) if is_safetensors(path) else {}
    return data if isinstance(data, dict) else {}


def _read_torch(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old files make torch speak of its own storage classes
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except OSError as error:
        raise ResiduaError(f"cannot read {path}: {error.strerror or error}") from error
    except Exception as error:  # a hostile or truncated pickle can fail with any exception there is
        raise ResiduaError(
            f"{path} is no checkpoint of plain tensors ({type(error).__name__}): it is damaged, or holds code, "
            "which residua never loads; what torch.save(model.state_dict(), ...) writes would do"
        ) from error


def _bare(name: str) -> str:
    while name.startswith(_PREFIXES):
        name = name.split(".", 1)[1]
    return name


def _plain(tensor: Tensor) -> Tensor:
    dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype
    return tensor.detach().to(dtype, copy=True).contiguous()  # its own memory: the file may change or go away
