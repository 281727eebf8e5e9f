"""Tensor files: safetensors with residua's JSON in the header, and a digest that is checked at every reading.

Tensors are read into memory of their own, aligned, whatever their place in the file: what a network computes
depends on addresses (MKL's products do), and a file may change or go away. Nothing is ever unpickled here.
"""

from __future__ import annotations

import json
import logging
import math
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from io import BufferedReader
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from residua.errors import ResiduaError
from residua.files import write_atomic
from residua.weights.digest import CHUNK, HEADER_KEY, UNSEALED, DigestCheck, DigestError, seal

_HEADER_LIMIT = 10_000_000  # bytes; a ResNet of 1202 layers with its momentum needs an eighth
MOST_TENSORS = 50_000  # of a file; ResNet-1202 has 7,000
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U64": torch.uint64,
    "U32": torch.uint32,
    "U16": torch.uint16,
    "U8": torch.uint8,
    "BOOL": torch.bool,
    "C64": torch.complex64,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}
_log = logging.getLogger("residua")


def save_tensors(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write tensors, a JSON header and their digest, atomically. Raises ResiduaError if the disk refuses."""
    own = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
    metadata = {HEADER_KEY: json.dumps({"digest": UNSEALED, **about}, allow_nan=False)}

    def write(temporary: Path) -> None:
        try:
            save_file(own, temporary, metadata=metadata)
        except SafetensorError as error:  # how safetensors reports a full disk
            raise ResiduaError(f"cannot write {path}: {error}") from error
        seal(temporary)

    write_atomic(path, write)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors, each into aligned memory of its own, and residua's JSON (empty if the file is somebody else's).

    Raises ResiduaError naming the file if it is missing, no safetensors file, or not as its digest says. That a
    file has no digest is said by the logger ``residua``, once.
    """
    with _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        raw, header = _read_header(file, size)
        check = DigestCheck(raw)
        tensors = {}
        for name, dtype, shape in _layout(header, size - len(raw)):
            tensors[name] = torch.empty(shape, dtype=dtype)
            memory = memoryview(tensors[name].reshape(-1).view(torch.uint8).numpy())
            for start in range(0, len(memory), CHUNK):
                piece = memory[start : start + CHUNK]
                if file.readinto(piece) < len(piece):
                    raise ValueError("it ends in the middle of its tensors")
                check.update(piece)
        check.end()
        about = _about(header)
    if check.stated is None:
        _say_unvouched(path.absolute())
    return tensors, about


def read_about(path: Path) -> dict[str, Any]:
    """The JSON in the header of a tensor file of residua's, without its tensors, unchecked; empty for other files."""
    with _opened(path) as file:
        return _about(_read_header(file, os.fstat(file.fileno()).st_size)[1])


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    """The open file; what goes wrong with it is one line that names it."""
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise ResiduaError(f"cannot read {path}: {error.strerror or error}") from error
    except DigestError as error:
        raise ResiduaError(f"{path} is damaged: {error}") from error
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError, RuntimeError) as error:
        raise ResiduaError(f"{path} is not a readable safetensors file: {_line(error)}") from error


def _read_header(file: BufferedReader, size: int) -> tuple[bytes, dict[str, Any]]:
    """The bytes before the tensors, and the JSON in them."""
    start = file.read(8)
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
    if not 0 < length <= size:
        raise ValueError("its header is damaged")
    if length > _HEADER_LIMIT:
        raise ValueError(f"its header claims {length:,} bytes; up to {_HEADER_LIMIT:,} are read")
    raw = file.read(length)
    header = json.loads(raw)
    if not isinstance(header, dict):
        raise ValueError("its header is no table")
    return start + raw, header


def _about(header: Mapping[str, Any]) -> dict[str, Any]:
    about = json.loads(header.get("__metadata__", {}).get(HEADER_KEY, "{}"))
    return {k: v for k, v in about.items() if k != "digest"} if isinstance(about, dict) else {}


def _layout(header: Mapping[str, Any], size: int) -> list[tuple[str, torch.dtype, tuple[int, ...]]]:
    """Names, types and shapes in the order of their bytes. Raises ValueError unless these fill the file exactly."""
    entries = [(name, entry) for name, entry in header.items() if name != "__metadata__"]
    if len(entries) > MOST_TENSORS:
        raise ValueError(f"it claims {len(entries):,} tensors; up to {MOST_TENSORS:,} are read")
    entries.sort(key=lambda item: item[1]["data_offsets"])
    layout, at = [], 0
    for name, entry in entries:
        dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        if dtype not in _DTYPES or any(
            type(n) is not int or not 0 <= n < 2**63 for n in (*shape, begin, end)
        ):
            raise ValueError(f"{name} is of type {dtype!r} and shape {shape}")
        if begin != at or end - begin != math.prod(shape) * _DTYPES[dtype].itemsize or end > size:
            raise ValueError(f"{name} claims bytes {begin} to {end} of {size}, after {at} are taken")
        layout.append((name, _DTYPES[dtype], tuple(shape)))
        at = end
    if at != size:
        raise ValueError(f"it has {size} bytes of tensors and claims {at}")
    return layout


@cache
def _say_unvouched(path: Path) -> None:
    _log.warning("%s states no digest: nothing vouches for its bytes", path)


def _line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
