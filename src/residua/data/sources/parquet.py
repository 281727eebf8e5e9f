"""``parquet:path``: images as the Hugging Face hub stores them, one file or a folder of shards.

A row has an ``image`` (the bytes of its file, or a struct that holds them) and a ``label`` (a number, whose name the
schema may tell, or a text). Files called ``train-``, ``validation-`` and ``test-`` are the parts. A set that does not
fit into memory is read a row group at a time, and shuffled as far as the row groups that are held at once allow.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from residua.data.image import BadImage
from residua.data.listing import PARTS, Listing, PartFiles, checked
from residua.data.sources.label_table import is_label_table
from residua.errors import ResiduaError, UsageError, nearest
from residua.parts import register
from residua.spec import DataSource, DataSpec

if TYPE_CHECKING:
    from residua.data.decoding import Blocks

MAGIC = b"PAR1"  # what a file begins with
FOLDERS = (".", "data", *PARTS)  # in which shards are looked for
MAX_LABELS = 64 << 20  # bytes of the labels of 10,000 rows
MAX_GROUP = 2 << 30  # bytes of the images of a row group, whatever its file says
HELD = 256 << 20  # bytes of row groups that are kept: those of a window that is shuffled, and of the next


@register
@dataclass(frozen=True, kw_only=True)
class Parquet(DataSource):
    """Rows of an image and a label; ``image`` and ``label`` name their columns."""

    kind: ClassVar[str] = "parquet"
    resizes: ClassVar[bool] = True
    path: str
    image: str = "image"
    label: str = "label"

    @classmethod
    def recognises(cls, path: Path) -> bool:  # noqa: D102
        return bool(_files(path)) and not is_label_table(path)

    def load(self, spec: DataSpec, *, threads: int = 0, storage: str | None = None) -> Any:
        """``Data`` of the rows. Raises UsageError without pyarrow or the columns, ResiduaError for damaged files."""
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise UsageError("parquet files are read by pyarrow: pip install 'residua[parquet]'") from error
        from residua.data.encoded import encoded_data

        listing, rows = self.listed(spec)
        return encoded_data(spec, listing, rows, threads=threads, storage=storage, files=list(rows.shards))

    def listed(self, spec: DataSpec) -> tuple[Listing, RowGroups]:  # noqa: D102
        root = Path(self.path).expanduser()
        files = _files(root)
        if not files:
            raise UsageError(f"{root} holds no .parquet file")
        shards = {name: _open_shard(root / name, self) for name in files}
        listing = _listing(root, shards, self.label, strict=spec.strict)
        return listing, RowGroups(root=root, shards=shards, image=self.image)


@dataclass(frozen=True)
class Shard:
    """What the footer of a file tells."""

    starts: list[int]  # the first row of each row group
    sizes: list[int]  # bytes of the images of each row group
    names: tuple[str, ...] | None  # of the labels that are numbers, if the schema tells them


@dataclass(frozen=True, kw_only=True)
class RowGroups:
    """A Store (residua.data.decoding) of the images of all shards, called ``FILE/ROW``; few row groups are held."""

    root: Path
    shards: dict[str, Shard]
    image: str
    _held: OrderedDict[tuple[str, int], tuple[Any, int]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def contents(self, name: str) -> bytes:
        """The bytes of an image. Raises BadImage."""
        file, group = self._place(name)
        row = int(name.rpartition("/")[2]) - self.shards[file].starts[group]
        with self._lock:  # one reads, the others wait for what it reads
            if (file, group) not in self._held:
                self._held[file, group] = self._read(file, group)
                while len(self._held) > 1 and sum(size for _, size in self._held.values()) > HELD:
                    self._held.popitem(last=False)
            self._held.move_to_end((file, group))
            images, _ = self._held[file, group]
        if isinstance(images, str) or row >= len(images):
            raise BadImage(name, images if isinstance(images, str) else "the row is missing")
        content = images[row].as_py()
        if content is None:
            raise BadImage(name, "the row holds no image")
        return content

    def blocks(self, names: Sequence[str]) -> Blocks:
        """The rows of each row group."""
        from residua.data.decoding import Blocks

        groups: dict[tuple[str, int], list[int]] = {}
        for position, name in enumerate(names):
            groups.setdefault(self._place(name), []).append(position)
        sizes = [self.shards[file].sizes[group] for file, group in groups]
        return Blocks([np.array(positions) for positions in groups.values()], sizes)

    def _place(self, name: str) -> tuple[str, int]:
        file, _, row = name.rpartition("/")
        return file, bisect_right(self.shards[file].starts, int(row)) - 1

    def _read(self, file: str, group: int) -> tuple[Any, int]:
        """The images of a row group as an array, or why they cannot be read; and their bytes."""
        import pyarrow as pa
        from pyarrow import parquet

        chunks, size = [], 0
        try:
            with parquet.ParquetFile(self.root / file) as opened:
                column = opened.schema_arrow.field(self.image)
                leaf = f"{self.image}.bytes" if pa.types.is_struct(column.type) else self.image
                for batch in opened.iter_batches(8, row_groups=[group], columns=[leaf], use_threads=False):
                    images = batch.column(0)
                    chunks.append(images.flatten()[0] if leaf != self.image else images)
                    size += chunks[-1].nbytes
                    if size > MAX_GROUP:  # a dictionary can stand for any number of bytes
                        return f"its row group is refused: it holds over {MAX_GROUP >> 20} MiB", 0
        except (pa.ArrowException, OSError, KeyError) as error:
            return f"its row group is damaged: {_line(error)}", 0
        return pa.chunked_array(chunks), size


def _files(root: Path) -> list[str]:
    """The parquet files at a path, relative to it; a file alone is ``""``."""
    if root.is_file():
        with root.open("rb") as file:
            return [""] if file.read(len(MAGIC)) == MAGIC else []
    found = {path for folder in FOLDERS for path in (root / folder).glob("*.parquet") if path.is_file()}
    return sorted(path.relative_to(root).as_posix() for path in found)


def _open_shard(path: Path, source: Parquet) -> Shard:
    from pyarrow import parquet, types

    with _readable(path), parquet.ParquetFile(path) as file:
        schema, footer = file.schema_arrow, file.metadata
        for column in (source.image, source.label):
            if schema.names.count(column) != 1:
                raise UsageError(
                    f"{path} has no column {column!r}{nearest(column, schema.names)}; --set data.source.image=NAME and "
                    "data.source.label=NAME say which"
                )
        image, label = schema.field(source.image).type, schema.field(source.label).type
        if types.is_struct(image) and image.get_field_index("bytes") >= 0:
            image = image.field("bytes").type
        if not (types.is_binary(image) or types.is_large_binary(image)):
            raise ResiduaError(f"{path}: the column {source.image!r} holds {image}, not the bytes of images")
        texts = label.value_type if types.is_dictionary(label) else label
        if not (types.is_integer(label) or types.is_string(texts) or types.is_large_string(texts)):
            raise ResiduaError(
                f"{path}: the column {source.label!r} holds {label}, not whole numbers or texts: one class an image "
                "is what is trained"
            )
        groups = [footer.row_group(i) for i in range(footer.num_row_groups)]
        starts = np.cumsum([0, *(group.num_rows for group in groups)])[:-1].tolist()
        wanted = (source.image, f"{source.image}.bytes")
        columns = [[group.column(i) for i in range(group.num_columns)] for group in groups]
        sizes = [
            sum(part.total_uncompressed_size for part in parts if part.path_in_schema in wanted)
            for parts in columns
        ]
        return Shard(starts, sizes, _names(schema.metadata, source.label, path))


def _names(metadata: dict[bytes, bytes] | None, label: str, path: Path) -> tuple[str, ...] | None:
    """The names of a ClassLabel, from what the hub writes into a schema."""
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        names = features[label]["names"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ResiduaError(f"{path}: the names of its labels are no list of texts")
    if len(set(names)) != len(names):
        raise ResiduaError(f"{path}: two of its labels have one name")
    return tuple(names)


def _listing(root: Path, shards: dict[str, Shard], label: str, *, strict: bool) -> Listing:
    """Every row that has a label, as ``FILE/ROW``, by parts. Raises ResiduaError for parts that are unclear."""
    from residua.data.decoding import log

    part_of = {name: _part(name) for name in shards}
    if set(part_of.values()) == {None}:
        part_of = dict.fromkeys(shards, "train")
    unclear = [name for name, part in part_of.items() if part is None]
    if unclear or "train" not in part_of.values():
        raise ResiduaError(
            f"{root} has no files called train-*.parquet"
            if not unclear
            else f"{root}: which part is {unclear[0]}? Others are called train-, validation- or test-"
        )
    rows: dict[str, tuple[list[str], list[str]]] = {}
    ranks: dict[str, int] = {}  # of the classes: the order of their names or numbers, or of the alphabet
    for name, part in part_of.items():
        paths, classes = rows.setdefault(str(part), ([], []))
        missing = 0
        for row, value in enumerate(_labels(root / name, label)):
            known = shards[name].names
            if value is None or value == -1:  # as the hub marks what it does not tell
                missing += 1
                continue
            if isinstance(value, int):
                if known and not 0 <= value < len(known):
                    raise ResiduaError(
                        f"{root / name}: row {row} has the label {value}, beyond {len(known)} names"
                    )
                ranks.setdefault(known[value] if known else str(value), value)
                value = known[value] if known else str(value)
            ranks.setdefault(value, 0)
            paths.append(f"{name}/{row}" if name else str(row))
            classes.append(value)
        if missing and strict:
            raise ResiduaError(f"{root / name}: {missing} rows have no label")
        if missing:
            log.warning("left out %s rows of %s, which have no label", missing, root / name)
    where = {part: f"{part}-*.parquet" if len(rows) > 1 else "" for part in rows}
    parts = {part: PartFiles(where[part], tuple(p), tuple(c)) for part, (p, c) in rows.items() if p}
    seen = dict.fromkeys(parts["train"].classes) if "train" in parts else {}
    order = sorted(seen, key=lambda name: (ranks[name], name))
    if len(order) < 2:
        raise ResiduaError(f"{root} has rows of {len(order)} classes to train on; at least two are needed")
    return checked(Listing(root, parts, tuple(order)))


def _labels(path: Path, column: str) -> Iterator[int | str | None]:
    from pyarrow import parquet

    with _readable(path), parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(10_000, columns=[column], use_threads=False):
            if batch.nbytes > MAX_LABELS:
                raise ResiduaError(
                    f"{path}: its labels are refused: 10,000 of them hold {batch.nbytes >> 20} MiB"
                )
            yield from batch.column(0).to_pylist()


def _part(name: str) -> str | None:
    """The part that a file's name begins with, or its folder's name is."""
    file, folder = Path(name).name, Path(name).parent.name
    return PARTS.get(re.split(r"[-_.]", file.lower())[0]) or PARTS.get(folder.lower())


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise ResiduaError(f"{path} is no parquet file, or damaged: {_line(error)}") from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
