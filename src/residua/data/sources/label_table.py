"""``labels:FILE``: images with a class each, listed in a table: CSV, TSV or parquet, a row an image.

A column names the image's file, relative to the table's folder (``file``, ``path``, ``image`` ..., else the first one);
one tells its class (``label``, ``class``, ``category``, else the only other one); and one, if there is any, its part
(``split``: train, val or test). What the table names and the folder lacks is left out and listed. One image has one
class: a table that gives several is refused.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from residua.data.listing import PARTS, Listing, PartFiles
from residua.errors import ResiduaError, UsageError, nearest
from residua.parts import register
from residua.spec import DataSource, DataSpec

if TYPE_CHECKING:
    from residua.data.sources.image_folder import ImageFiles

# How the columns are called, in lower case.
FILES = ("file", "filename", "file_name", "filepath", "path", "image", "image_path", "img")
LABELS = ("label", "class", "category", "class_name", "species")
SPLITS = ("split", "part", "subset", "set")
DELIMITERS = {".csv": ",", ".tsv": "\t"}
SEVERAL = "|;,"  # between the labels of an image that has several
MAGIC = b"PAR1"  # what a parquet file begins with


class Row(NamedTuple):
    """A row as texts, and its number as messages tell it."""

    number: int
    cells: Sequence[str]


class Columns(NamedTuple):
    """Which columns of a table tell what."""

    file: int
    label: int
    split: int | None


@register
@dataclass(frozen=True, kw_only=True)
class LabelTable(DataSource):
    """Images with classes, listed in a table; ``file`` and ``label`` name its columns."""

    kind: ClassVar[str] = "labels"
    resizes: ClassVar[bool] = True
    path: str
    file: str | None = None
    label: str | None = None

    @classmethod
    def recognises(cls, path: Path) -> bool:  # noqa: D102
        return is_label_table(path)

    def load(self, spec: DataSpec, *, threads: int = 0, storage: str | None = None) -> Any:
        """``Data`` of the rows. Raises UsageError for unclear columns, ResiduaError for a row that is wrong."""
        from residua.data.encoded import encoded_data
        from residua.data.identity import digest

        path = Path(self.path).expanduser()
        listing, files = self.listed(spec)
        data = encoded_data(spec, listing, files, threads=threads, storage=storage)
        contents = data.identity["fingerprint"]
        labels = [label.encode() for part in listing.parts.values() for label in part.classes]
        fingerprint = {
            "of": f"{contents['of']}, and labels",
            "sha256": digest([contents["sha256"].encode(), *labels]),
        }
        return dataclasses.replace(
            data, identity={**data.identity, "path": str(path.resolve()), "fingerprint": fingerprint}
        )

    def listed(self, spec: DataSpec) -> tuple[Listing, ImageFiles]:  # noqa: D102
        from residua.data.sources.image_folder import ImageFiles

        path = Path(self.path).expanduser()
        header, rows = _read(path)
        columns = _columns(path, header, self.file, self.label)
        return _listing(path, header, rows, columns, strict=spec.strict), ImageFiles(path.parent)


def is_label_table(path: Path) -> bool:
    """Whether a table gives images a class each, and not numbers (``residua.data.sources.csv_targets``)."""
    try:
        if not path.is_file():
            return False
        header, rows = _read(path)
        columns = _columns(path, header, None, None)
        first = next(iter(rows), None)
    except (ResiduaError, OSError):
        return False
    if first is None or len(first.cells) != len(header):
        return False
    label = first.cells[columns.label].strip()
    return not _is_number(label) or (header[columns.label].lower() in LABELS and label.lstrip("-").isdigit())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _columns(path: Path, header: Sequence[str], file: str | None, label: str | None) -> Columns:
    lower = [name.lower() for name in header]

    def named(wanted: str) -> int:
        if header.count(wanted) != 1:
            raise UsageError(f"{path} has no column {wanted!r}{nearest(wanted, header)}")
        return list(header).index(wanted)

    files = [place for place, name in enumerate(lower) if name in FILES]
    of_file = named(file) if file else (files or [0])[0]
    splits = [place for place, name in enumerate(lower) if name in SPLITS and place != of_file]
    others = [place for place in range(len(header)) if place not in (of_file, *splits)]
    labels = [place for place in others if lower[place] in LABELS] or others
    if label:
        labels = [named(label)]
    if len(labels) != 1:
        names = ", ".join(header[place] for place in labels) or "none"
        raise UsageError(
            f"{path}: which column is the class of an image: {names}? One class an image is what is trained; --set "
            "data.source.label=NAME says which"
        )
    return Columns(of_file, labels[0], splits[0] if splits else None)


def _listing(
    path: Path, header: Sequence[str], rows: Iterable[Row], columns: Columns, *, strict: bool
) -> Listing:
    """The files of a table by parts. Raises ResiduaError that names the row that is wrong."""
    seen: dict[str, tuple[int, str]] = {}
    left_out: dict[str, str] = {}
    parts: dict[str, tuple[list[str], list[str]]] = {}
    for number, cells in rows:
        where = f"{path} line {number}"
        if len(cells) != len(header):
            raise ResiduaError(f"{where}: {len(cells)} columns, where the header has {len(header)}")
        file, label = str(Path(cells[columns.file].strip())), cells[columns.label].strip()
        if file in seen:
            line, before = seen[file]
            several = f"as {label!r} here and as {before!r}" if label != before else f"as {label!r}"
            raise ResiduaError(
                f"{where}: {file!r} stands in line {line} already, {several}: one row an image, of one class, is "
                "what is trained"
            )
        seen[file] = number, label
        part = "train" if columns.split is None else _part(cells[columns.split], where)
        if not label:
            left_out[file] = "no label"
        elif "\0" in file or not (path.parent / file).is_file():
            left_out[file] = "no such file"
        else:
            paths, classes = parts.setdefault(part, ([], []))
            paths.append(file)
            classes.append(label)
        if strict and file in left_out:
            raise ResiduaError(f"{where}: {file!r}: {left_out[file]}")
    if not parts:
        first = next(iter(left_out.items()), ("no row", "it is empty"))
        raise ResiduaError(f"{path} names no file that is there; the first: {first[0]}: {first[1]}")
    _refuse_several(path, {label for _, classes in parts.values() for label in classes})
    listed = {part: PartFiles("", tuple(paths), tuple(classes)) for part, (paths, classes) in parts.items()}
    trained = set(listed["train"].classes) if "train" in listed else set()
    order = sorted(
        trained, key=lambda label: (not label.isdigit(), int(label) if label.isdigit() else 0, label)
    )
    if "train" not in listed:
        raise ResiduaError(f"{path} has rows of {', '.join(sorted(listed))} and none of the training part")
    return Listing(path.parent, listed, tuple(order), left_out=dict(sorted(left_out.items())))


def _part(text: str, where: str) -> str:
    part = PARTS.get(text.strip().lower())
    if part is None:
        raise ResiduaError(f"{where}: {text!r} is no part{nearest(text, PARTS)}")
    return part


def _refuse_several(path: Path, labels: set[str]) -> None:
    """Raise ResiduaError if labels are lists: split at some sign, they have a label in common."""
    for sign in SEVERAL:
        held: dict[str, str] = {}
        for label in sorted(labels):
            for one in {part.strip() for part in label.split(sign)}:
                if held.setdefault(one, label) != label:
                    several = max(label, held[one], key=len)
                    raise ResiduaError(
                        f"{path}: {several!r} is several labels: one class an image is what is trained. A column of "
                        "0 and 1 for each label, and csv:FILE, learns them as numbers"
                    )


def _read(path: Path) -> tuple[Sequence[str], Iterator[Row]]:
    """The header of a table and its rows. Raises ResiduaError for a file that is none."""
    with path.open("rb") as file:
        parquet = file.read(len(MAGIC)) == MAGIC
    return _read_parquet(path) if parquet else _read_text(path)


def _read_text(path: Path) -> tuple[Sequence[str], Iterator[Row]]:
    if path.suffix.lower() not in DELIMITERS:
        raise UsageError(f"{path} is no table of labels: its name ends with .csv, .tsv or .parquet")

    def rows() -> Iterator[Row]:
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.reader(file, strict=True, delimiter=DELIMITERS[path.suffix.lower()])
                for cells in reader:
                    if cells:  # an empty line is none
                        yield Row(reader.line_num, cells)
        except (OSError, ValueError, csv.Error) as error:  # ValueError: not UTF-8
            raise ResiduaError(f"cannot read {path}: {error}") from error

    lines = rows()
    header = next(lines, Row(0, ()))
    return [name.strip() for name in header.cells], lines


def _read_parquet(path: Path) -> tuple[Sequence[str], Iterator[Row]]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError("parquet files are read by pyarrow: pip install 'residua[parquet]'") from error
    try:
        schema = parquet.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise ResiduaError(f"{path} is no parquet file, or damaged: {error}") from error
    for field in schema:
        if pa.types.is_list(field.type) and field.name.lower() in (*LABELS, *(f"{name}s" for name in LABELS)):
            raise ResiduaError(
                f"{path}: {field.name!r} holds several labels: one class an image is what is trained"
            )
    if any(pa.types.is_struct(field.type) or pa.types.is_binary(field.type) for field in schema):
        raise UsageError(f"{path} holds images themselves: parquet:{path} reads them")
    plain = [
        field.name
        for field in schema
        if pa.types.is_string(field.type)
        or pa.types.is_large_string(field.type)
        or pa.types.is_integer(field.type)
    ]

    def rows() -> Iterator[Row]:
        try:
            with parquet.ParquetFile(path) as file:
                number = 0
                for batch in file.iter_batches(10_000, columns=plain, use_threads=False):
                    for cells in zip(*(batch.column(name).to_pylist() for name in plain), strict=True):
                        number += 1
                        yield Row(number, ["" if cell is None else str(cell) for cell in cells])
        except (pa.ArrowException, OSError) as error:
            raise ResiduaError(f"{path} is no parquet file, or damaged: {error}") from error

    return plain, rows()
