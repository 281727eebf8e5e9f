"""``residua models``."""

from __future__ import annotations

import sys
from typing import Annotated, Any

from cyclopts import Parameter

from residua.cli.say import say, say_json

_COLUMNS = ("name", "depth", "parameters", "multiply_adds", "input")


def models(pattern: str = "*", *, json: Annotated[bool, Parameter(negative="")] = False) -> None:
    """List the networks that can be built, with their exact costs at their usual input; and what `--with FILE` brings.

    Args:
        pattern: a shell pattern, or a name.
        json: print one JSON object.

    """
    from residua.registry import list_models
    from residua.user_files import files_in_use

    rows = [_row(name) for name in list_models(pattern) or [pattern]]
    files = [{"name": file.name, "brings": sorted(map(list, file.run().parts))} for file in files_in_use()]
    if json:
        say_json({"schema": 1, "models": rows, **({"files": files} if files else {})})
        return
    from residua.description.columns import columns

    header = tuple(column.replace("_", "-") for column in _COLUMNS)
    cells = [tuple(_cell(row[column]) for column in _COLUMNS) for row in rows]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        table = Table(box=None)
        for number, name in enumerate(header):
            table.add_column(name, justify="right" if number else "left", no_wrap=True)
        for line in cells:
            table.add_row(*line)
        Console().print(table)
    else:
        say(*columns([header, *cells], right=(1, 2, 3, 4), flexible=0))
    for file in files:
        say(f"{file['name']} brings {', '.join(map(' '.join, file['brings'])) or 'nothing'}")


def _row(name: str) -> dict[str, Any]:
    from residua.analysis.listed_costs import listed_totals
    from residua.registry import model_spec

    spec: Any = model_spec(name)  # every family's spec says its depth and its usual input
    parameters, multiply_adds = listed_totals(spec)
    return {
        "name": name,
        "family": spec.family,
        "depth": spec.depth,
        "parameters": parameters,
        "multiply_adds": multiply_adds,
        "input": list(spec.usual_input),
    }


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return "x".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else value
