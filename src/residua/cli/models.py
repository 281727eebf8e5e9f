"""``residua models``."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Any

from cyclopts import Parameter

from residua.cli.say import say, say_json, say_table
from residua.errors import UsageError

_COLUMNS = ("name", "depth", "parameters", "multiply_adds", "input")


def models(
    pattern: str = "*",
    *,
    weights: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """List the networks that can be built, with their exact costs at their usual input; and what `--with FILE` brings.

    Args:
        pattern: a shell pattern, or a name.
        weights: list instead the trained weights that have a name: what comes with the package, what is published, and
            which of it is on this machine.
        json: print one JSON object.

    """
    if weights:
        _list_weights(pattern, json=json)
        return
    from residua.registry import list_models
    from residua.user_files import files_in_use

    rows = [_row(name) for name in list_models(pattern) or [pattern]]
    files = [{"name": file.name, "brings": sorted(map(list, file.run().parts))} for file in files_in_use()]
    if json:
        say_json({"schema": 1, "models": rows, **({"files": files} if files else {})})
        return
    header = [column.replace("_", "-") for column in _COLUMNS]
    say_table(header, [[_cell(row[column]) for column in _COLUMNS] for row in rows], right=(1, 2, 3, 4))
    for file in files:
        say(f"{file['name']} brings {', '.join(map(' '.join, file['brings'])) or 'nothing'}")


def _list_weights(pattern: str, *, json: bool) -> None:
    from residua.weights.named import named_weights

    rows = [
        {
            "name": one.name,
            "network": one.network,
            "trained_on": one.dataset,
            "top1": one.top1,
            "here": one.here,
        }
        for one in named_weights()
        if fnmatchcase(one.name, pattern) or fnmatchcase(one.network, pattern)
    ]
    if not rows:
        raise UsageError(f"no weights are called {pattern!r}, nor their network")
    if json:
        say_json({"schema": 1, "weights": rows})
        return
    header = ("name", "network", "trained on", "top-1", "here")
    cells = [
        [
            *(row[key] for key in ("name", "network", "trained_on")),
            "-" if row["top1"] is None else f"{row['top1']:.2f} %",
            "yes" if row["here"] else "no",
        ]
        for row in rows
    ]
    say_table(header, cells, right=(3,))


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
