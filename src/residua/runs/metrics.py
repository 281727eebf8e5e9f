"""The lines of a run's metrics, read and checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypedDict

from residua.errors import ResiduaError
from residua.runs.layout import METRICS
from residua.runs.logs import read_log
from residua.runs.tables import LINES
from residua.spec.stored import checked


class _Line(TypedDict):
    event: str


def read_metrics(run: Path) -> tuple[list[dict[str, Any]], bool]:
    """The lines, and whether the last one is cut off: its writer was stopped there, and it is left out.

    Raises ResiduaError that names the line which is damaged.
    """
    lines, rows = [], read_log(run).split(b"\n")  # only a whole line ends in a line break
    for number, row in enumerate(rows, start=1):
        if not row.strip():
            continue
        where = f"{run / METRICS} line {number}"
        try:
            value = json.loads(row)
        except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, a number of thousands of digits
            if number == len(rows):
                return lines, True
            raise ResiduaError(f"{where} is damaged: it is not valid JSON") from error
        line = checked(value, _Line, where)
        lines.append(checked(line, LINES.get(line["event"], _Line), where))
    return lines, False
