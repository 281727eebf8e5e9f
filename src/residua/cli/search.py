"""``residua train --budget``: several trainings within a time, and the best of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from residua.cli.say import note, say, say_json, say_table
from residua.errors import UsageError
from residua.names import command

PAGE = "search.html"
_OPEN = ("seed", "device", "precision", "threads", "workers", "compile", "limit_batches")


def search(settings: dict[str, dict[str, Any]], budget: str, target: str | None, *, json: bool) -> None:
    """Search as the settings of ``residua train`` say, and print what was found."""
    from residua.report.search_page import render_search
    from residua.runs.find import point_latest
    from residua.search.search import search as run
    from residua.search.target import parse_seconds, parse_target
    from residua.spec import DataSpec
    from residua.train.defaults import default_source

    model, recipe, told = dict(settings["model"]), dict(settings["recipe"]), dict(settings["run"])
    if "weights" in told or len(model) > ("name" in model):
        raise UsageError("--budget tries networks as they are named: --weights and model.* do not go with it")
    name = model.get("name")
    data = DataSpec.of(default_source(name)).change(**settings["data"])
    folder = Path(told.pop("run_dir", None) or _usual_folder(data))
    how = {
        "model": name,
        "recipe": recipe.pop("name", None),
        "recipe_changes": recipe,
        **{key: told[key] for key in _OPEN if key in told},
    }
    seconds, wanted = parse_seconds(budget, "--budget"), None if target is None else parse_target(target)
    record = run(data, budget=seconds, target=wanted, folder=folder, how=how, note=note)
    best = folder / str(record.best)
    point_latest(best)
    render_search(record, folder / PAGE)
    found = {**record.to_dict(), "run_dir": str(best), "page": str(folder / PAGE)}
    if json:
        say_json(found)
        return
    say_table(
        ("candidate", "ms/image", f"val {record.metric}", f"test {record.metric}", "s", ""),
        [
            (
                trial.name,
                *(_shown(value, ".4g") for value in (trial.latency_ms, trial.validation, trial.test)),
                _shown(trial.seconds, ".0f"),
                "best" if trial.name == record.best else trial.status,
            )
            for trial in record.trials
        ],
        right=(1, 2, 3, 4),
    )
    say("", f"best  {best}", f"page  {folder / PAGE}", "", "next:", f"  {command('residua', 'report', best)}")


def _usual_folder(data: Any) -> Path:
    """Where a search on some data stands, so that the same command goes on with it."""
    from residua.runs.find import RUNS

    place = data.source.place
    return RUNS / f"search-{data.source.kind if place is None else place.resolve().name}"


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
