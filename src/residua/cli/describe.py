"""``residua describe``."""

from __future__ import annotations

import re
import sys
from typing import Annotated, Any

from cyclopts import Parameter

from residua.cli.say import say, say_json
from residua.cli.settings import parse_assignment
from residua.errors import UsageError


def describe(
    model: str,
    *,
    input: str | None = None,
    set: Annotated[list[str] | None, Parameter(negative="", consume_multiple=False)] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Show a network stage by stage: shapes, exact counts, shortcuts, and the published figures beside it.

    Args:
        model: a name of `residua models`, or any cifar_resnetN.
        input: channels, height and width of an image, such as 3,224,224; by default what the papers feed it.
        set: one key=value of the model's spec, such as shortcut=C or num_classes=10; may be repeated.
        json: print one JSON object.

    """
    from residua.description import describe as describe_model
    from residua.registry import model_spec

    spec = model_spec(model, **_changes(set or []))
    described = describe_model(spec, None if input is None else _shape(input))
    if json:
        say_json(described.to_dict())
    elif sys.stdout.isatty():
        from rich.console import Console
        from rich.text import Text

        for section in described.sections():
            Console(highlight=False).print(
                Text(section.heading, style="bold"),
                *section.lines,
                "",
                sep="\n",
                markup=False,
                soft_wrap=True,
            )
    else:
        say(*str(described).split("\n"))


def _changes(assignments: list[str]) -> dict[str, Any]:
    changes = {}
    for assignment in assignments:
        table, key, value = parse_assignment(assignment, default_table="model")
        if table != "model":
            raise UsageError(f"describe knows the model only; --set {assignment!r} is of {table!r}")
        changes[key] = value
    return changes


def _shape(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\s*\d{1,6}\s*(,\s*\d{1,6}\s*){0,4}", text, re.ASCII):
        raise UsageError(f"--input takes the shape of one sample, such as 3,224,224, not {text!r}")
    return tuple(int(size) for size in text.split(","))
