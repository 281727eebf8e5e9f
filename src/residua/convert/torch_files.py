"""Files of ``torch.save``, of today (a zip) and of before 2020, read without unpickling anything.

What a file holds comes as plain dictionaries and lists; a tensor in it is a ``StorageView``, of which nothing is read
before it is asked for. Names of torch's that tensors need are known here, any other stands for an inert ``Stranger``.
"""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from residua.errors import ResiduaError
from residua.pickled import Filled, Members, Stranger, UnreadablePickle, read_pickle, text

_PICKLE = 64 << 20  # bytes of the pickle in a file, which holds names and shapes
_DIRECTORY = 8 << 20  # bytes of a zip's list of entries, about 100,000 of them
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # the first of the five pickles that old files begin with
NOT_PLAIN = "torch.Tensor"  # the stranger that stands for a tensor of other than plain real numbers
_DIMENSIONS = 64  # of a tensor; torch has no more


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    dtype: torch.dtype | None  # None: no plain real numbers
    count: int


@dataclass(frozen=True, slots=True)
class StorageView:
    """A tensor of a file: the part of a storage that it shows. Offset and strides count elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where bytes lie in the file, in a zip behind the header of an entry that starts there."""

    start: int
    size: int
    header: bool = False
    checksum: int = 0  # CRC-32; torch.save writes 0 where it is told not to compute it


@dataclass
class TorchFile:
    """What a file holds, and the names in it that are not followed (``argparse.Namespace``)."""

    path: Path
    content: Any
    strangers: tuple[str, ...]
    places: Mapping[str, _Place]  # of storages, by key
    storages: dict[str, Tensor] = field(default_factory=dict)  # their bytes, once read,
    held: int = 0  # and how many these are

    def tensor(self, name: str, view: StorageView) -> Tensor:
        """The tensor of a view, in its own dtype and strides. Raises ResiduaError if the file does not hold it.

        ``name`` is what the error calls it.
        """
        with _explained(self.path, f"{self.path}: {name} cannot be read"):
            return _shown(view, self._bytes)

    def _bytes(self, key: str, size: int) -> Tensor:
        place = self.places.get(key)
        if place is None or place.size != size:
            raise UnreadablePickle(f"damaged: it lacks the {size} bytes of storage {key[:60]!r}")
        if key not in self.storages:
            self.held += size
            if self.held > self.path.stat().st_size:
                raise UnreadablePickle("refused: it claims more tensor data than the file has bytes")
            self.storages[key] = _read(self.path, place)
        return self.storages[key]


def read_torch(path: Path) -> TorchFile:
    """Open a file of ``torch.save``.

    Raises ResiduaError, one line that names the file, if it is none, is damaged, or holds what is not read: compressed
    entries, numbers of a big-endian machine, more instructions than names and shapes need.
    """
    with _explained(path, f"{path} is no checkpoint of plain tensors"), path.open("rb") as file:
        if file.read(4) == b"PK\x03\x04":
            return _read_zip(path)
        file.seek(0)
        return _read_legacy(path, file)


# What torch's names stand for: functions of the arguments that a file gives, and types of storages


def _view(storage: Any, offset: Any, shape: Any, strides: Any, *about: Any) -> StorageView | Stranger:
    whole = isinstance(shape, tuple) and isinstance(strides, tuple)
    if not whole or not isinstance(storage, _Storage) or storage.dtype is None:
        return Stranger(NOT_PLAIN)
    return StorageView(storage, offset, shape, strides)


def _parameter(tensor: Any = None, *about: Any) -> Any:
    return tensor


def _typed(make: Any = None, kind: Any = None, arguments: Any = (), *state: Any) -> Any:
    known = make in (_view, _parameter) and isinstance(arguments, tuple)
    return make(*arguments) if known else Stranger(NOT_PLAIN)


class _OrderedDict(dict[Any, Any], Filled):
    def fill(self, state: Any) -> None:
        """Leave out what torch notes beside the tensors: versions of modules."""


def _ordered_dict(items: Any = ()) -> _OrderedDict:
    pairs = [pair for pair in items if isinstance(pair, list | tuple) and len(pair) == 2]
    return _OrderedDict({text(key): value for key, value in pairs})


def _members(members: Any = ()) -> Members:
    return Members(members if isinstance(members, list | tuple) else ())


_DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_NAMES: dict[str, Any] = {
    **{f"{module} {name}": dtype for module in ("torch", "torch.cuda") for name, dtype in _DTYPES.items()},
    "torch._utils _rebuild_tensor": _view,
    "torch._utils _rebuild_tensor_v2": _view,
    "torch._utils _rebuild_parameter": _parameter,
    "torch._utils _rebuild_parameter_with_state": _parameter,
    "torch._tensor _rebuild_from_type_v2": _typed,
    "torch.nn.parameter Parameter": _parameter,
    "collections OrderedDict": _ordered_dict,
    "builtins set": _members,
    "__builtin__ set": _members,
}


def _persistent(key: Any) -> Any:
    """``("storage", type, key, device, count)``, in old files with a view; ``("module", class, its source)``."""
    match key:
        case ("storage" | b"storage", kind, str() | bytes() as name, _, int() as count, *views) if count >= 0:
            plain = isinstance(kind, torch.dtype) and views in ([], [None])
            return _Storage(text(name), kind if plain else None, count)
        case ("module" | b"module", kind, *_):
            return kind
    raise UnreadablePickle("damaged: it refers to a storage in no way that torch writes")


def _shown(view: StorageView, read: Any) -> Tensor:
    storage = view.storage
    assert storage.dtype is not None  # or there is no view of it
    numbers = (view.offset, *view.shape, *view.strides)
    if len(view.shape) != len(view.strides) or len(view.shape) > _DIMENSIONS:
        raise UnreadablePickle("damaged: its shape and its strides differ")
    if any(type(number) is not int or number < 0 for number in numbers):
        raise UnreadablePickle("damaged: its shape is not made of whole numbers")
    flat = read(storage.key, storage.count * storage.dtype.itemsize).view(storage.dtype)
    if 0 in view.shape:
        return flat.new_empty(view.shape)
    last = view.offset + sum((size - 1) * step for size, step in zip(view.shape, view.strides, strict=True))
    if max(view.shape, default=1) > storage.count or math.prod(view.shape) > storage.count:
        raise UnreadablePickle("it claims more tensor data than its storage has")
    if last >= storage.count:
        raise UnreadablePickle("damaged: it ends behind its storage")
    strides = [min(step, storage.count) for step in view.strides]  # of one position, any is as good
    return torch.as_strided(flat, view.shape, strides, view.offset)


# Today's files: a zip without compression, NAME/data.pkl beside NAME/data/KEY


class _Entries(io.FileIO):
    """A file of which the zip's list of entries may not take more memory than _DIRECTORY."""

    def read(self, size: int | None = -1) -> bytes | None:
        if size is None or size < 0:
            return super().read(_DIRECTORY)
        if size > _DIRECTORY:
            raise zipfile.BadZipFile("its list of entries is longer than that of any network")
        return super().read(size)


def _read_zip(path: Path) -> TorchFile:
    with _Entries(path) as file, zipfile.ZipFile(file) as archive:
        entries = archive.NameToInfo
        names = [name for name in entries if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(names) != 1:
            raise UnreadablePickle("a zip without the one data.pkl that torch.save writes")
        root = names[0].removesuffix("data.pkl")
        if entries[names[0]].file_size > _PICKLE:
            raise UnreadablePickle(f"refused: its data.pkl has over {_PICKLE >> 20} MiB")
        order = entries.get(f"{root}byteorder")
        if order is not None and order.file_size == 3 and bytes(_read(path, _place(order)).numpy()) == b"big":
            raise UnreadablePickle("refused: it holds numbers of a big-endian machine")
        content = io.BytesIO(_read(path, _place(entries[names[0]])).numpy().data)
        unpickled = read_pickle(content, _NAMES, _persistent)
        places = {
            name.removeprefix(f"{root}data/"): _place(info)
            for name, info in entries.items()
            if name.startswith(f"{root}data/")
        }
        return TorchFile(path, unpickled.value, unpickled.strangers, places)


def _place(info: zipfile.ZipInfo) -> _Place:
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
        raise UnreadablePickle("refused: its entries are compressed, which torch.save never does")
    return _Place(info.header_offset, info.file_size, True, info.CRC)


def _read(path: Path, place: _Place) -> Tensor:
    """The bytes of a storage, or of another entry, in memory of their own."""
    found = torch.empty(place.size, dtype=torch.uint8)
    memory = found.numpy().data
    with path.open("rb") as file:
        file.seek(place.start)
        if place.header:
            name_and_more = struct.unpack("<HH", file.read(30)[26:])  # lengths, at the end of the header
            file.seek(sum(name_and_more), io.SEEK_CUR)
        if file.readinto(memory) != place.size:
            raise UnreadablePickle("damaged: it is cut")
    if place.checksum not in (0, zlib.crc32(memory)):
        raise UnreadablePickle("damaged: its bytes have another checksum than the file says")
    return found


# Files of before torch 1.6: five pickles, then each storage behind the number of its elements


def _read_legacy(path: Path, file: IO[bytes]) -> TorchFile:
    head = io.BytesIO(file.read(_PICKLE))
    storages: dict[str, _Storage] = {}

    def persistent(key: Any) -> Any:
        found = _persistent(key)
        return storages.setdefault(found.key, found) if isinstance(found, _Storage) else found

    if read_pickle(head, {}).value != _LEGACY_MAGIC:
        raise UnreadablePickle("it does not begin as a file of torch.save does")
    read_pickle(head, {})  # the version of the format
    machine = read_pickle(head, {}).value
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise UnreadablePickle("refused: it holds numbers of a big-endian machine")
    unpickled = read_pickle(head, _NAMES, persistent)
    keys = read_pickle(head, {}).value
    places: dict[str, _Place] = {}
    position = head.tell()
    for key in keys if isinstance(keys, list) else []:
        storage = storages.get(text(key))
        if storage is None or storage.dtype is None:
            raise UnreadablePickle("damaged: it lists a storage that no tensor has")
        file.seek(position)
        start = file.read(8)
        if len(start) != 8 or struct.unpack("<q", start)[0] != storage.count:
            raise UnreadablePickle("damaged: a storage has another size than its tensors")
        size = storage.count * storage.dtype.itemsize
        places[storage.key] = _Place(position + 8, size)
        position += 8 + size
    return TorchFile(path, unpickled.value, unpickled.strangers, places)


@contextmanager
def _explained(path: Path, wrong: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResiduaError(f"cannot read {path}: {error.strerror or error}") from error
    except UnreadablePickle as error:
        raise ResiduaError(f"{wrong}: {error}") from error
    except (
        *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError),
        *(ValueError, KeyError, OverflowError, RuntimeError, MemoryError),
    ) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ResiduaError(f"{wrong}: it is damaged ({reason})") from error
