"""Which task trains which family. Modules are imported when they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from residua.data import Source
from residua.registry import family
from residua.runs.plan import Plan
from residua.spec import ModelSpec, Recipe
from residua.train.task import Metric, Task

# name of ``Family.task``: a class that is made of (network, recipe, plan, data)
TASKS = {
    "classification": "residua.train.tasks.classification:Classification",
    "detection": "residua.train.tasks.detection:Detection",
    "gan": "residua.train.tasks.gan:Adversarial",
    "language": "residua.train.tasks.language:Language",
    "segmentation": "residua.train.tasks.segmentation:Segmentation",
}


def make_task(network: Any, recipe: Recipe, plan: Plan, data: Source) -> Task:
    """The task of a network's family."""
    return _task(network.spec)(network, recipe, plan, data)


def primary(spec: ModelSpec) -> Metric:
    """What networks of a spec are judged by."""
    return _task(spec).primary


def _task(spec: ModelSpec) -> Any:
    module, _, name = TASKS[family(spec.family).task].partition(":")
    return getattr(importlib.import_module(module), name)
