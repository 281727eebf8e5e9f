"""``residua recipes``."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Any

from cyclopts import Parameter

from residua.cli.say import say, say_json, say_table
from residua.errors import UsageError, nearest

_UNTESTED = "untested here"


def recipes(pattern: str = "*", *, json: Annotated[bool, Parameter(negative="")] = False) -> None:
    """List the recipes: what each is for, and what was measured with it here; of a single one, all of it.

    Args:
        pattern: a shell pattern, or a name.
        json: print one JSON object.

    """
    from residua.train.recipe_notes import NOTES
    from residua.train.recipes import RECIPES

    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "length": _length(one),
            "batch_size": one.batch_size,
            "optimizer": one.optimizer.kind,
            "suits": NOTES[name].suits,
            "source": NOTES[name].source,
            "evidence": NOTES[name].evidence or None,
            "recipe": one.to_dict(),
        }
        for name, one in RECIPES.items()
        if fnmatchcase(name, pattern)
    ]
    if not rows:
        raise UsageError(f"no recipe is called {pattern!r}{nearest(pattern, RECIPES)}")
    if json:
        say_json({"schema": 1, "recipes": rows})
    elif len(rows) == 1:
        (row,) = rows
        say(f"{row['name']}: {row['suits']}", f"source: {row['source']}")
        say(f"evidence: {row['evidence'] or _UNTESTED}", "")
        fields = RECIPES[row["name"]].flat()
        width = max(map(len, fields))
        say(*(f"  {name:<{width}}  {_shown(value)}" for name, value in fields.items()))
    else:
        shown = ("name", "length", "batch_size", "optimizer", "suits")
        cells = [[*(str(row[key]) for key in shown), row["evidence"] or _UNTESTED] for row in rows]
        say_table(("name", "length", "batch", "optimizer", "for", "evidence"), cells, right=(2,))


def _length(recipe: Any) -> str:
    return f"{recipe.iterations:,} steps" if recipe.iterations else f"{recipe.epochs} epochs"


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_shown, value)) or "none"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
