"""Checkpoints in one file, or in several beside an index, as Hugging Face's libraries write large ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypedDict

from residua.convert.tensors import SUFFIXES, Checkpoint, read_file, short
from residua.errors import ResiduaError
from residua.spec.stored import read_stored

INDEX = ".index.json"  # how the name of an index ends: model.safetensors.index.json
_LARGEST = 16 << 20  # bytes of an index


class _Index(TypedDict):
    weight_map: dict[str, str]  # the file of each tensor


def read_checkpoint(path: Path) -> Checkpoint:
    """Open a checkpoint, or all the files that an index names, which lie beside it.

    Raises ResiduaError, one line that names the file, if one is missing or damaged, lies elsewhere, or holds other
    tensors than the index says.
    """
    return _read_shards(path) if path.name.endswith(INDEX) else read_file(path)


def _read_shards(index: Path) -> Checkpoint:
    places = _places(index)
    content: dict[str, Any] = {}
    size = 0
    for file in sorted(set(places.values())):
        shard = read_file(_shard(index, file))
        if not isinstance(shard.content, dict):
            raise ResiduaError(f"{shard.path} holds no table of tensors")
        for name in shard.content:
            if places.get(name) != file:
                raise ResiduaError(
                    f"{shard.path} holds {short(name)}, for which {index.name} names another file or none"
                )
        content |= shard.tensors(shard.content)
        size += shard.size
    for name, file in places.items():
        if name not in content:
            raise ResiduaError(f"{index} names {file} for {short(name)}, which is not in it")
    return Checkpoint(index, content, size)


def _places(index: Path) -> dict[str, str]:
    """The file of each tensor."""
    try:
        size = index.stat().st_size
    except OSError as error:
        raise ResiduaError(f"cannot read {index}: {error.strerror or error}") from error
    if size > _LARGEST:
        raise ResiduaError(f"{index} is refused: an index has no {size >> 20} MiB")
    return read_stored(index, _Index)["weight_map"]


def _shard(index: Path, file: str) -> Path:
    if "/" in file or "\\" in file or "\0" in file or Path(file).suffix not in SUFFIXES:
        raise ResiduaError(f"{index} is refused: {file[:100]!a} is no name of a weight file beside it")
    path = index.with_name(file)
    if not path.is_file():
        raise ResiduaError(
            f"{index} names {path.name}, which does not lie beside it: bring it from where it is from"
        )
    return path
