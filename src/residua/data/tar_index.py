"""What stands where in a tar shard of WebDataset's layout, so that its images can be read by position.

A sample is what shares a key, the name of a member up to the first dot of its last part: ``dir/0001.jpg`` and
``dir/0001.cls`` (a whole number or a text) or ``dir/0001.json`` (with a field of it). Nothing is ever unpacked: names
are no paths here, links, devices and sparse files are left out, and no header may take more than its share of memory.
"""

from __future__ import annotations

import json
import re
import tarfile
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO

import numpy as np

from residua.data.image import MAX_BYTES, SUFFIXES, image_name
from residua.errors import ResiduaError

SCHEMA = 1
INDEX = "index"  # the folder beside prepared shards that holds theirs, NAME.json for NAME.tar
MANIFEST = (
    "prepared.json"  # beside prepared shards: the names of their classes, and whether all of them are there
)
MAX_HEADER = 1 << 20  # bytes that the headers of one member may take: of a long name, some hundred
MAX_LABEL = 1 << 20  # bytes of a .json
FIELDS = ("label", "cls", "class")  # of a .json, the first that it has
NO_CRC = -1
COLUMNS = ("offsets", "sizes", "checks")

Label = int | str


@dataclass(frozen=True, kw_only=True)
class ShardIndex:
    """The images of a shard, in the order of the shard; the lists are of one length."""

    size: int  # bytes of the shard
    stamp: str = ""  # when it was changed, as its file system tells it
    label: str | None = None  # the field of a .json that was asked for
    names: list[str]  # of the members
    offsets: np.ndarray  # int64: of their first byte, rising
    sizes: np.ndarray  # int64: in bytes
    labels: list[Label]
    checks: np.ndarray  # int64: CRC-32 of the bytes, or NO_CRC where nobody has computed it
    left_out: dict[str, str]  # members that are no image with a label, and why
    damage: str | None = None  # where the shard cannot be read any further, and why

    def to_json(self) -> dict[str, Any]:
        """The values that ``from_json`` takes."""
        columns = {name: getattr(self, name).tolist() for name in COLUMNS}
        return {"schema": SCHEMA, **self.__dict__, **columns}

    @classmethod
    def from_json(cls, value: Any) -> ShardIndex:
        """An index that was stored. Raises ValueError for anything else, and for places outside of the shard."""
        if not isinstance(value, dict) or value.get("schema") != SCHEMA:
            raise ValueError("not an index of this version")
        try:
            fields: dict[str, Any] = {name: value[name] for name in cls.__dataclass_fields__}
            fields |= {name: np.array(value[name], np.int64) for name in COLUMNS}
            index = cls(**fields)
            offsets, sizes = index.offsets, index.sizes
            if {np.shape(getattr(index, name)) for name in COLUMNS} != {(len(index.names),)}:
                raise ValueError("its columns differ in length")
            if len(index.labels) != len(index.names):
                raise ValueError("its labels are too few or too many")
            if not (
                (sizes >= 0) & (sizes <= MAX_BYTES) & (offsets >= 0) & (offsets <= index.size - sizes)
            ).all():
                raise ValueError("it points outside of its shard")
            if (offsets[1:] < (offsets + sizes)[:-1]).any():
                raise ValueError("its places overlap")
            if not all(type(label) in (int, str) for label in index.labels):
                raise ValueError("its labels are neither whole numbers nor texts")
            if not all(
                isinstance(text, str) for text in (*index.names, *index.left_out, *index.left_out.values())
            ):
                raise ValueError("its names are no texts")
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"not an index: {error}") from error
        return index


def read_index(file: BinaryIO, size: int, *, stamp: str = "", label: str | None = None) -> ShardIndex:
    """Read the headers and labels of a shard of ``size`` bytes, from a file that can be sought.

    ``label`` is the field of a ``.json`` to take; None: the ``.cls`` where there is one, else one of ``FIELDS``.
    What is damaged ends the index there, and ``damage`` says so; nothing is raised but OSError.
    """
    images: dict[str, tuple[str, int, int]] = {}  # by key: the member, its place and size
    labels: dict[tuple[str, str], tuple[int, int]] = {}  # of .cls and .json, by key and ending
    left_out: dict[str, str] = {}
    damage = None
    try:
        for member in _members(file):
            _sort(member, size, images, labels, left_out)
    except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
        damage = " ".join(str(error).split())[:200] or type(error).__name__
    found: list[tuple[str, int, int, Label]] = []
    for key, (name, offset, count) in images.items():
        try:
            found.append((name, offset, count, _label(file, key, labels, label)))
        except ResiduaError as error:
            left_out[name] = str(error)
    return ShardIndex(
        size=size,
        stamp=stamp,
        label=label,
        names=[name for name, *_ in found],
        offsets=np.array([offset for _, offset, _, _ in found], np.int64),
        sizes=np.array([count for _, _, count, _ in found], np.int64),
        labels=[told for *_, told in found],
        checks=np.full(len(found), NO_CRC, np.int64),
        left_out=left_out,
        damage=damage,
    )


class _Careful:
    """A file that gives no more than ``MAX_HEADER`` bytes between two members, whatever a header claims to need."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.left = file, MAX_HEADER
        self.seek, self.tell = file.seek, file.tell

    def read(self, count: int) -> bytes:
        self.left -= count if count >= 0 else MAX_HEADER + 1
        if self.left < 0:
            raise tarfile.ReadError("a header that takes over a mebibyte")
        return self.file.read(count)


def _members(file: BinaryIO) -> Any:
    """The headers of a tar file, one after another; raises tarfile.TarError where it is damaged or cut."""
    careful: Any = _Careful(file)
    with tarfile.open(fileobj=careful, mode="r:") as opened:
        tar: Any = opened
        end = -1
        while (member := tar.next()) is not None:
            tar.members.clear()  # which else holds every header
            if member.size < 0 or tar.offset <= end:  # which would lead back, for ever
                raise tarfile.ReadError(f"a header that leads back from byte {end}")
            end, careful.left = tar.offset, MAX_HEADER
            yield member
        file.seek(tar.offset)
        if file.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
            raise tarfile.ReadError(f"truncated or damaged at byte {tar.offset}")


def _sort(
    member: tarfile.TarInfo,
    size: int,
    images: dict[str, tuple[str, int, int]],
    labels: dict[tuple[str, str], tuple[int, int]],
    left_out: dict[str, str],
) -> None:
    path = PurePosixPath(member.name)
    name = image_name(member.name)
    stem, _, ending = path.name.partition(".")
    key, ending = f"{path.parent}/{stem}", ending.lower()
    place = (member.offset_data, member.size)
    if member.isdir():
        return
    if not member.isreg() or member.issparse():
        left_out[name] = "a link, a device or a sparse file"
    elif ending in ("cls", "json"):
        labels[key, ending] = place
    elif path.suffix.lower() not in SUFFIXES:
        left_out[name] = "no image, by its name"
    elif sum(place) > size:
        left_out[name] = "truncated"
    elif member.size > MAX_BYTES:
        left_out[name] = f"{member.size:,} bytes are refused: a file has {MAX_BYTES:,} at most"
    elif key in images:
        left_out[name] = f"a second image beside {images[key][0]}"
    else:
        images[key] = (name, *place)


def _label(
    file: BinaryIO, key: str, labels: dict[tuple[str, str], tuple[int, int]], field: str | None
) -> Label:
    """The label of a sample. Raises ResiduaError that says why there is none."""
    if field is None and (key, "cls") in labels:
        text = _contents(file, labels[key, "cls"]).strip()
        return int(text) if re.fullmatch(r"-?\d{1,18}", text, re.ASCII) else _checked(text)
    if (key, "json") not in labels:
        raise ResiduaError("no .cls and no .json beside it" if field is None else "no .json beside it")
    try:
        held = json.loads(_contents(file, labels[key, "json"]))
    except (ValueError, RecursionError) as error:
        raise ResiduaError("its .json is damaged") from error
    if not isinstance(held, dict):
        raise ResiduaError("its .json is no object")
    found = [name for name in (FIELDS if field is None else (field,)) if name in held]
    if not found:
        raise ResiduaError(f"its .json has no {field or ' or '.join(FIELDS)}")
    return _checked(held[found[0]])


def _contents(file: BinaryIO, place: tuple[int, int]) -> str:
    offset, size = place
    if size > MAX_LABEL:
        raise ResiduaError(f"its label is refused: it has {size:,} bytes")
    file.seek(offset)
    content = file.read(size)
    if len(content) != size:
        raise ResiduaError("its label is truncated")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ResiduaError("its label is no text") from error


def _checked(label: Any) -> Label:
    if type(label) is int and abs(label) < 2**63:
        return label
    if isinstance(label, str) and 0 < len(label) <= 200 and label.isprintable():
        return label
    raise ResiduaError(
        "its label is neither a whole number nor a text: one class an image is what is trained"
    )
