"""What the run folder states about itself, for its page: model, recipe, plan, data, environment, cost, command."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from residua.errors import ResiduaError
from residua.names import command as shell
from residua.names import near
from residua.report.numbers import count
from residua.report.thumbnail import picture
from residua.report.translation import Translate
from residua.runs.record import Run

SHOWN = 40  # items of a list
LISTED = 200  # skipped files
SAMPLES = 1024  # pixels a side of the picture of samples, at most
DEEPEST = 6  # levels of nesting; nothing that residua writes goes deeper
SectionValues = dict[str, Any] | None  # what the macro of a section is given; None: there is nothing to show


def recipe(run: Run, t: Translate) -> SectionValues:
    """The model's spec and the training recipe."""
    return _settings({"model": run.spec, "recipe": run.recipe}, t)


def samples(run: Run, t: Translate) -> SectionValues:
    """What a generator makes, where the training left a picture of it, before it was complete."""
    path = run.samples
    if not path.is_file() or old_samples(run):
        return None
    try:
        png = base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise ResiduaError(f"cannot read {path}: {error.strerror or error}") from error
    source, (width, height) = picture(png, str(path), keep=SAMPLES)
    return {"source": source, "width": width, "height": height}


def old_samples(run: Run) -> bool:
    """Whether there are samples of a training that has been extended since: the run is not complete any more."""
    return run.result is None and run.samples.is_file()


def plan(run: Run, t: Translate) -> SectionValues:
    """Every automatic choice."""
    return _settings(run.plan, t)


def environment(run: Run, t: Translate) -> SectionValues:
    """Versions and hardware."""
    return _settings({key: value for key, value in run.env.items() if key != "command"}, t)


def data(run: Run, t: Translate) -> SectionValues:
    """Where the images came from, their identity, and the files that were skipped."""
    if not run.data:
        return None
    skipped = run.data.get("skipped")
    skipped = skipped if isinstance(skipped, list) else []
    rest = {key: value for key, value in run.data.items() if key not in ("skipped", "classes")}
    if isinstance(rest.get("path"), str):
        rest["path"] = str(near(Path(rest["path"])))
    listed = [_skipped(item, t) for item in skipped[:LISTED]]
    if len(skipped) > LISTED:
        listed.append((t("more", n=count(len(skipped) - LISTED)), ""))
    rows = setting_rows(rest, t)
    return {"rows": rows, "classes": run.classes, "skipped": listed, "n_skipped": len(skipped)}


def cost(run: Run, t: Translate) -> SectionValues:
    """Parameters and multiply-adds of each part, and the sums."""
    parts = run.inspection.get("cost")
    if not parts:
        return None
    totals = {key: sum(part[key] for part in parts) for key in ("parameters", "multiply_adds")}
    return {"listed": parts, "totals": totals}


def repeat(run: Run, t: Translate) -> SectionValues:
    """The command that made the run, ready to be copied."""
    said = command(run)
    return {"commands": [("", said)]} if said else None


def command(run: Run) -> str | None:
    """The command of ``env.json`` as a shell takes it, None if it holds none."""
    said = run.env.get("command")
    if isinstance(said, list) and said:
        return shell(*map(str, said))
    return said if isinstance(said, str) and said else None


def flatten(values: dict[str, Any], prefix: str = "", depth: int = DEEPEST) -> Iterator[tuple[str, Any]]:
    """The leaves of nested tables, with dotted names."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value and depth:
            yield from flatten(value, f"{name}.", depth - 1)
        else:
            yield name, value


def say(value: Any, t: Translate, depth: int = DEEPEST) -> str:
    """A stored value as a person reads it."""
    if value is None or isinstance(value, bool):
        return t({None: "nothing", True: "yes", False: "no"}[value])
    if isinstance(value, list | dict) and not depth:
        return "…"
    if isinstance(value, dict):
        value = [f"{key}={say(inner, t, depth - 1)}" for key, inner in value.items()]
    if isinstance(value, list):
        shown = [say(item, t, depth - 1) for item in value[:SHOWN]]
        if len(value) > SHOWN:
            shown.append(t("more", n=count(len(value) - SHOWN)))
        return ", ".join(shown) or t("nothing")
    return str(value)


def setting_rows(values: dict[str, Any], t: Translate) -> list[tuple[str, str]]:
    """Nested tables as rows of a dotted name and a value."""
    return [(name, say(value, t)) for name, value in flatten(values) if value != {}]


def _settings(values: dict[str, Any], t: Translate) -> SectionValues:
    rows = setting_rows(values, t)
    return {"rows": rows} if rows else None


def _skipped(item: Any, t: Translate) -> tuple[str, str]:
    if isinstance(item, dict):
        return say(item.get("path"), t), say(item.get("reason"), t)
    return say(item, t), ""
