"""``residua runs``."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from residua.cli.choose_rows import arranged, condition
from residua.cli.say import complain, say, say_json, say_table
from residua.errors import ResiduaError

_KEYS = (
    *("run", "path", "state", "outcome", "model", "data", "recipe", "seed", "epochs", "metric"),
    *("train", "val", "test", "seconds", "parameters"),
)
_COLUMNS = (
    *("run", "state", "outcome", "model", "data", "recipe", "seed", "epochs", "metric", "val", "test"),
    "seconds",
)


def runs(
    names: list[str] | None = None,
    /,
    *,
    sort: str | None = None,
    reverse: Annotated[bool, Parameter(negative="")] = False,
    filter: Annotated[list[str] | None, Parameter(negative="", consume_multiple=False)] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """List the runs under runs/, oldest first; or compare the named ones, and show in what they differ.

    Args:
        names: run folders, names under runs/, or latest.
        sort: by what: run, path, state, model, data, recipe, seed, epochs, metric, train, val, test, seconds or
            parameters (train, val and test are the figures of the metric); runs without it come last.
        reverse: the largest first, or the newest.
        filter: only runs of which it holds, such as 'test>=0.9', 'model=cifar_*' or 'state!=complete', by the keys of
            --sort; may be repeated, and then all must hold.
        json: print one JSON object.

    """
    conditions = [condition(text, _KEYS) for text in filter or []]
    from residua.train import RunFolder, list_runs, resolve_run

    folders = [RunFolder(resolve_run(name)) for name in names] if names else list_runs()
    found = [_row(folder) if names else _row_or_damage(folder) for folder in folders]
    chosen = (row for row in found if all(holds(row) for holds in conditions))
    rows = arranged(chosen, sort, reverse=reverse, keys=_KEYS)
    several = names and len(rows) > 1
    differences = _differences([RunFolder(row["path"]) for row in rows]) if several else {}
    if json:
        say_json({"schema": 1, "runs": rows, "differences": differences})
    elif not rows:
        say("no run fulfils the filter" if conditions else "no runs yet: residua train makes one")
    else:
        say_table(_COLUMNS, [[_cell(row.get(column)) for column in _COLUMNS] for row in rows])
        for key, values in differences.items():
            say("", key)
            say_table(("run", "value"), [[row["run"], _cell(v)] for row, v in zip(rows, values, strict=True)])


def _row_or_damage(folder: Any) -> dict[str, Any]:
    """A run's row; a damaged run does not hide the others."""
    try:
        return _row(folder)
    except ResiduaError as error:
        complain(error)
        return {"run": folder.path.name, "path": str(folder.path), "state": "damaged", "error": str(error)}


def _row(folder: Any) -> dict[str, Any]:
    from residua.files import in_use
    from residua.train.task import run_task

    result, metric = folder.result, run_task(folder).primary.name
    epochs = folder.metrics("epoch")
    last = epochs[-1] if epochs else {}
    return {
        "run": folder.path.name,
        "path": str(folder.path),
        "state": "complete" if result else "running" if in_use(folder.path) else "interrupted",
        "outcome": outcome.status if (outcome := folder.outcome) else None,
        "model": folder.spec.name,
        "data": folder.data["kind"],
        "recipe": folder.recipe.name,
        "seed": folder.seed,
        "epochs": len(epochs),
        "metric": metric,
        "train": last.get(f"train_{metric}"),
        "val": last.get(f"val_{metric}"),
        "test": result.get(f"test_{metric}") if result else None,
        "seconds": result["seconds"] if result else None,
        "parameters": result["parameters"] if result else None,
    }


def _differences(folders: list[Any]) -> dict[str, list[Any]]:
    """Keys of spec, recipe, plan and data, and the seeds, whose values are not the same in all the runs."""
    tables = {
        "model": [f.spec.to_dict() for f in folders],
        "recipe": [f.recipe.to_dict() for f in folders],
        "run": [{"seed": f.seed} for f in folders],
        "plan": [f.plan.to_dict() for f in folders],
        "data": [f.data_spec.to_dict() for f in folders],
    }
    found: dict[str, list[Any]] = {}
    for table, specs in tables.items():
        for key in dict.fromkeys(key for spec in specs for key in spec):
            values = [spec.get(key) for spec in specs]
            if any(value != values[0] for value in values):
                found[f"{table}.{key}"] = values
    return found


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)
