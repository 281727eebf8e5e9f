"""What the run folder states about itself, as tables: model, recipe, plan, data, environment, command."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from residua.errors import ResiduaError
from residua.names import command as shell
from residua.report.html import Html, bar, element, join, table
from residua.report.language import Translate
from residua.report.numbers import count
from residua.report.thumbnail import picture
from residua.runs.record import Run

SHOWN = 40  # items of a list
LISTED = 200  # skipped files
SAMPLES = 1024  # pixels a side of the picture of samples, at most
DEEPEST = 6  # levels of nesting; nothing that residua writes goes deeper


def recipe(run: Run, t: Translate) -> Html | None:
    """The model's spec and the training recipe."""
    return _settings({"model": run.spec, "recipe": run.recipe}, t)


def samples(run: Run, t: Translate) -> Html | None:
    """What a generator makes, where the training left a picture of it, before it was complete."""
    path = run.samples
    if not path.is_file() or old_samples(run):
        return None
    try:
        png = base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise ResiduaError(f"cannot read {path}: {error.strerror or error}") from error
    source, (width, height) = picture(png, str(path), keep=SAMPLES)
    return element("img", src=source, alt=t("samples"), width=width, height=height)


def old_samples(run: Run) -> bool:
    """Whether there are samples of a training that has been extended since: the run is not complete any more."""
    return run.result is None and run.samples.is_file()


def plan(run: Run, t: Translate) -> Html | None:
    """Every automatic choice."""
    return _settings(run.plan, t)


def environment(run: Run, t: Translate) -> Html | None:
    """Versions and hardware."""
    return _settings({key: value for key, value in run.env.items() if key != "command"}, t)


def data(run: Run, t: Translate) -> Html | None:
    """Where the images came from, their identity, and the files that were skipped."""
    if not run.data:
        return None
    skipped = run.data.get("skipped")
    skipped = skipped if isinstance(skipped, list) else []
    rest = {key: value for key, value in run.data.items() if key not in ("skipped", "classes")}
    parts: list[Any] = [_settings(rest, t)]
    if run.classes:
        summary = element("summary", t("class_list", n=count(len(run.classes))))
        parts.append(element("details", summary, element("p", t("comma").join(run.classes))))
    if not skipped:
        return join([*parts, element("p", t("none_skipped"))])
    rows = [_skipped(item, t) for item in skipped[:LISTED]]
    if len(skipped) > LISTED:
        rows.append((t("more", n=count(len(skipped) - LISTED)), ""))
    summary = element("summary", t("skipped", n=count(len(skipped))))
    listed = table((t("file"), t("reason")), rows, kind="settings")
    return join([*parts, element("details", summary, listed, open="open")])


def cost(run: Run, t: Translate) -> Html | None:
    """Parameters and multiply-adds of each part, with their shares as bars, and the sums."""
    parts = run.inspection.get("cost")
    if not parts:
        return None
    totals = {key: sum(part[key] for part in parts) for key in ("parameters", "multiply_adds")}
    rows: list[list[Any]] = [
        [part["part"], *(bar(part[key] / max(totals[key], 1), count(part[key])) for key in totals)]
        for part in parts
    ]
    rows.append([t("total"), *(element("b", count(total)) for total in totals.values())])
    return table((t("part"), *(t(key) for key in totals)), rows, kind="numbers")


def repeat(run: Run, t: Translate) -> Html | None:
    """The command that made the run, ready to be copied."""
    said = command(run)
    if said is None:
        return None
    return join([element("p", t("repeat_note"), class_="note"), command_box(said)])


def command(run: Run) -> str | None:
    """The command of ``env.json`` as a shell takes it, None if it holds none."""
    said = run.env.get("command")
    if isinstance(said, list) and said:
        return shell(*map(str, said))
    return said if isinstance(said, str) and said else None


def command_box(said: str) -> Html:
    """A command in a box; one click selects it all, and the page's script adds a button that copies it."""
    return element("div", element("pre", said), class_="command")


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


def _settings(values: dict[str, Any], t: Translate) -> Html | None:
    rows = [(name, say(value, t)) for name, value in flatten(values) if value != {}]
    return table((t("setting"), t("value")), rows, kind="settings") if rows else None


def _skipped(item: Any, t: Translate) -> tuple[str, str]:
    if isinstance(item, dict):
        return say(item.get("path"), t), say(item.get("reason"), t)
    return say(item, t), ""
