"""Training: ``fit`` and ``resume``, recipes, the loop and the plan. Imported lazily: its specs need no torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from residua.runs.find import list_runs, resolve_run
    from residua.runs.folder import RunFolder
    from residua.train.callbacks import Callback, Moment, StopTraining
    from residua.train.fitting import fit
    from residua.train.interruption import Interrupted
    from residua.train.plan import Plan, Request, make_plan
    from residua.train.recipes import RECIPES, recipe
    from residua.train.resuming import resume

_HOME = {
    "RunFolder": "residua.runs.folder",
    **dict.fromkeys(("list_runs", "resolve_run"), "residua.runs.find"),
    **dict.fromkeys(("Callback", "Moment", "StopTraining"), "residua.train.callbacks"),
    "fit": "residua.train.fitting",
    "resume": "residua.train.resuming",
    "Interrupted": "residua.train.interruption",
    **dict.fromkeys(("Plan", "Request", "make_plan"), "residua.train.plan"),
    **dict.fromkeys(("RECIPES", "recipe"), "residua.train.recipes"),
}

__all__ = [
    "RECIPES",
    "Callback",
    "Interrupted",
    "Moment",
    "Plan",
    "Request",
    "RunFolder",
    "StopTraining",
    "fit",
    "list_runs",
    "make_plan",
    "recipe",
    "resolve_run",
    "resume",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
