"""Training: ``fit`` and ``resume``, recipes as data, the loop and the run folder."""

from residua.runs.find import list_runs, resolve_run
from residua.runs.folder import RunFolder
from residua.train.fit import fit, resume
from residua.train.loop import Interrupted
from residua.train.plan import Plan, Request, make_plan
from residua.train.recipes import RECIPES, recipe

__all__ = [
    "RECIPES",
    "Interrupted",
    "Plan",
    "Request",
    "RunFolder",
    "fit",
    "list_runs",
    "make_plan",
    "recipe",
    "resolve_run",
    "resume",
]
