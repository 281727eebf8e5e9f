"""``residua analyze``."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from residua.cli.bar import progress_bar
from residua.cli.say import note, say, say_json
from residua.errors import ResiduaError, UsageError
from residua.files import write_json, write_text
from residua.looks import look_class
from residua.spec import parse_value

if TYPE_CHECKING:
    from residua.analysis.finding import Cell
    from residua.evaluation.analyze import Analysis

FILES = ("finding.json", "table.csv", "figure.png", "figure.svg")
_MOST_ROWS = 40  # that are printed


def analyze(
    kind: str,
    source: str,
    data: str | None = None,
    /,
    *,
    against: Annotated[list[str] | None, Parameter(negative="", consume_multiple=True)] = None,
    images: int | None = None,
    split: str = "test",
    seed: int = 0,
    set: Annotated[list[str] | None, Parameter(negative="", consume_multiple=False)] = None,
    out: Path | None = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Look inside networks: residua analyze KIND RUN|MODEL [DATA].

    Args:
        kind: what to look for, see the list above.
        source: a run, a weight file, a peer's checkpoint, or the name of a network, which is then freshly initialised.
        data: the images: digits, a folder of images, CIFAR-10 or CIFAR-100, kind:path, or, to explain, an image file;
            by default those of the run, else the digits.
        against: other networks, drawn into the same figure.
        images: how many images are looked at; by default as many as suit the kind.
        split: train, val or test.
        seed: of fresh networks, and of what the kind draws.
        set: one key=value of the kind's options, or model.key=value of a fresh network's spec; may be repeated.
        out: the folder for the table and the figure; by default analysis/KIND-NAME.
        overwrite: replace what an earlier analysis has left in that folder.
        json: print one JSON object.

    """
    look_class(kind)
    settings = [_assignment(text) for text in set or []]
    from residua.evaluation.analyze import analyze as look_inside

    sources = [source, *(against or [])]
    folder = out or Path("analysis") / "-".join([kind, *(_slug(name) for name in sources)])
    _refuse_existing(folder, overwrite=overwrite)
    with progress_bar(kind) as progress:
        analyses = look_inside(
            kind,
            sources,
            data,
            images=images,
            split=split,
            seed=seed,
            changes={key: value for table, key, value in settings if table == "model"},
            options={key: value for table, key, value in settings if not table},
            progress=progress,
        )
    first, *others = [one.to_dict() for one in analyses]
    answer = first | ({"against": others} if others else {})
    files = FILES if any(one.finding.panels for one in analyses) else FILES[:2]
    answer |= {"files": [str(folder / name) for name in files]}
    _write(folder, analyses, answer, files)
    if json:
        say_json(answer)
        return
    for one in analyses:
        for text in one.notes:
            note(f"{one.name}: {text}")
    for one in analyses:
        say(*_text(one), "")
    say(f"{folder}{'/' if folder.name else ''}: {', '.join(files)}")


def _assignment(text: str) -> tuple[str, str, Any]:
    """``model.shortcut=C`` to ``("model", "shortcut", "C")``, ``points=21`` to ``("", "points", 21)``."""
    name, equals, value = text.partition("=")
    table, _, key = name.strip().rpartition(".")
    if not equals or not key or table not in ("", "model"):
        raise UsageError(f"--set takes KEY=VALUE of the kind, or model.KEY=VALUE, not {text!r}")
    return table, key, parse_value(value.strip())


def _slug(source: str) -> str:
    """What a source is called in the name of a folder."""
    path = Path(source)
    name = path.stem if path.is_file() else path.name or source
    return re.sub(r"[^\w.+-]+", "_", name).strip("._") or "network"


def _refuse_existing(folder: Path, *, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file: --out takes a folder")
    if not overwrite and any((folder / name).exists() for name in FILES):
        raise UsageError(f"{folder} holds an analysis: --overwrite replaces it, --out takes another folder")


def _write(folder: Path, analyses: Sequence[Analysis], answer: dict[str, Any], files: Sequence[str]) -> None:
    from residua.report.finding import draw_finding

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResiduaError(f"cannot make {folder}: {error.strerror or error}") from error
    write_text(folder / "table.csv", _csv(analyses))
    findings = {one.name: one.finding for one in analyses}
    for name in files[2:]:
        draw_finding(findings, folder / name)
    write_json(folder / "finding.json", answer)


def _csv(analyses: Sequence[Analysis]) -> str:
    """The tables below each other, with the network's name in front."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["network", *analyses[0].finding.columns])
    for one in analyses:
        writer.writerows([one.name, *row] for row in one.finding.rows)
    return out.getvalue()


def _text(one: Analysis) -> list[str]:
    finding = one.finding
    lines = [
        f"{finding.title}: {one.name} on {one.data}, {one.images} images",
        finding.sentence,
        "",
    ]
    named = [(name.replace("_", " "), _cell(value)) for name, value in finding.values.items()]
    width = max((len(name) for name, _ in named), default=0)
    lines += [f"  {name:<{width}}  {value}" for name, value in named]
    rows = [[_cell(cell) for cell in row] for row in finding.rows[:_MOST_ROWS]]
    numeric = [
        all(isinstance(row[i], int | float | None) for row in finding.rows)
        for i in range(len(finding.columns))
    ]
    table = [list(finding.columns), *rows]
    widths = [max(len(line[i]) for line in table) for i in range(len(finding.columns))]
    lines += [""] * bool(named)
    for line in table:
        cells = (
            cell.rjust(size) if number else cell.ljust(size)
            for cell, size, number in zip(line, widths, numeric, strict=True)
        )
        lines.append(f"  {'  '.join(cells)}".rstrip())
    left = len(finding.rows) - len(rows)
    return lines + ([f"  ... and {left} more rows in table.csv"] if left else [])


def _cell(value: Cell) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
