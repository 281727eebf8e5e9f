"""``residua predict``."""

from __future__ import annotations

import csv as csv_files
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from residua.cli.say import complain, note, say, say_json
from residua.errors import ResiduaError, UsageError
from residua.names import shown

if TYPE_CHECKING:
    from residua.deploy import Answer, NamedPicture, Predictor
    from residua.report.contact_sheet import ContactSheet

# what the answers about an image are in JSON and in print, by what the network answers
_TABLES: dict[str, Callable[[list[tuple[str, float]]], dict[str, Any]]] = {
    "classes": lambda found: {"top": [{"label": name, "probability": value} for name, value in found]},
    "numbers": lambda found: {"values": dict(found)},
}
_FORMATS = {"classes": ".1%", "numbers": ".4g"}
_STDIN = Path("-")


def predict(
    source: str,
    images: Annotated[list[Path] | None, Parameter(allow_leading_hyphen=True)] = None,  # a bare hyphen
    /,
    *,
    files_from: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
    top_k: Annotated[int, Parameter(name=["--top-k", "-k"])] = 5,
    every: float = 1.0,
    device: str = "auto",
    threads: int | None = None,
    csv: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
    page: Path | None = None,
    lang: Literal["en", "zh"] = "en",
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Say what is on images or in volumes, or their numbers.

    A bad one among good ones gets a line on stderr, and the exit code is 1. What else lies in a folder is left out and
    counted.

    Args:
        source: an artifact, a run folder, its name under runs/, latest, a weight file or a peer's checkpoint.
        images: image files, folders of them, searched to any depth, videos, or - for one image on standard input; for
            networks of clips and volumes .npy files.
        files_from: a file that names images, one a line or with zero bytes between them; - for standard input.
        top_k: how many classes to name.
        every: seconds from one frame of a video to the next; 0 for every frame.
        device: auto, cpu, cuda or cuda:N.
        threads: of an artifact's runtime; by default what it takes by itself.
        csv: print a table: image, the classes with their probabilities, error.
        json: print one JSON object.
        page: also write a contact sheet, an HTML page of small pictures by class.
        lang: language of the page.
        overwrite: replace a page that exists.

    """
    if top_k < 1:
        raise UsageError(f"--top-k must be at least 1, not {top_k}")
    if csv and json:
        raise UsageError("--csv and --json are two forms of one answer: name one")
    asked = list(_asked(images or [], files_from))
    from residua.deploy import Predictor

    sheet = None if page is None else _sheet(page, overwrite=overwrite)
    predictor = Predictor(source, device=device, threads=threads)
    if sheet is not None and predictor.volumes:
        raise UsageError(f"--page shows images, and {predictor.name} takes volumes")
    for text in predictor.notes:
        note(text)
    tell = _Csv(predictor, top_k) if csv else _nothing if json else _line
    predictions, errors = [], []
    left_out: dict[str, str] = {}
    for answer in predictor.stream(asked, top_k, every=every, left_out=left_out):
        if answer.top is None:
            errors.append({"image": answer.name, "error": answer.error})
            complain(f"{answer.name}: {answer.error}")
        elif json:
            predictions.append({"image": answer.name, **_TABLES[predictor.answers](answer.top)})
        tell(answer, predictor.answers)
        if sheet is not None:
            sheet.add(answer, predictor.answers)
    if left_out:
        counts = sorted(Counter(left_out.values()).items())
        note("left out: " + ", ".join(f"{count} ({why})" for why, count in counts))
    if json:
        skipped = [{"image": name, "reason": why} for name, why in sorted(left_out.items())]
        say_json({"schema": 1, "predictions": predictions, "errors": errors, "skipped": skipped})
    if sheet is not None and page is not None:
        sheet.write(page, predictor.name, lang=lang)
        note(f"the contact sheet is {page}")
    return 1 if errors else 0


def _asked(images: list[Path], files_from: Path | None) -> Iterator[Path | NamedPicture]:
    if not images and files_from is None:
        raise UsageError("name at least one image, or a folder of images")
    if [*images, files_from].count(_STDIN) > 1:
        raise UsageError("standard input can be read once: it is one image, or with --files-from a list")
    for path in images:
        if str(path).startswith("-") and path != _STDIN:
            raise UsageError(f"unknown option {path} (see --help; a file of this name is ./{path})")
        if path != _STDIN:
            yield path
            continue
        from residua.data.image import MAX_BYTES
        from residua.deploy import NamedPicture

        yield NamedPicture("-", _stdin(MAX_BYTES + 1))
    if files_from is not None:
        yield from _listed(files_from)


def _listed(path: Path) -> list[Path]:
    try:
        listed = _stdin() if path == _STDIN else path.read_bytes()
    except OSError as error:
        raise ResiduaError(f"cannot read {path}: {error.strerror or error}") from error
    names = listed.split(b"\0") if b"\0" in listed else listed.splitlines()
    return [Path(os.fsdecode(name)) for name in names if name]


def _stdin(most: int = -1) -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("- reads standard input: send an image with < photo.jpg, or through a pipe")
    return sys.stdin.buffer.read(most)


def _sheet(page: Path, *, overwrite: bool) -> ContactSheet:
    from residua.report.contact_sheet import ContactSheet
    from residua.report.render import check_page

    check_page(page, own=None, overwrite=overwrite)
    return ContactSheet()


def _nothing(answer: Answer, kind: str) -> None:
    """With --json everything is said at the end."""


def _line(answer: Answer, kind: str) -> None:
    if answer.top is not None:
        named = ", ".join(f"{name} {value:{_FORMATS[kind]}}" for name, value in answer.top)
        say(f"{answer.name}: {named}")


class _Csv:
    """Rows of image, label_1, probability_1, ..., error; of numbers image, each by its name, error."""

    def __init__(self, predictor: Predictor, k: int) -> None:
        self._writer = csv_files.writer(sys.stdout, lineterminator="\n")
        places = range(1, min(k, len(predictor.classes)) + 1)
        pairs = [name for place in places for name in (f"label_{place}", f"probability_{place}")]
        self._columns = pairs if predictor.answers == "classes" else list(predictor.classes)
        self._write(["image", *self._columns, "error"])

    def __call__(self, answer: Answer, kind: str) -> None:
        if answer.top is None:
            cells: list[object] = [""] * len(self._columns)
        else:
            cells = [cell for pair in answer.top for cell in (pair if kind == "classes" else pair[1:])]
        self._write([answer.name, *cells, answer.error or ""])

    def _write(self, cells: list[Any]) -> None:
        self._writer.writerow([shown(cell) if isinstance(cell, str) else cell for cell in cells])
