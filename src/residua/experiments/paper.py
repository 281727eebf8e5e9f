"""Every experiment of the papers, by id and by paper. Importing this imports no torch."""

from __future__ import annotations

import importlib
from functools import cache

from residua.errors import UsageError, nearest
from residua.experiments.experiment import Experiment

PAPERS = (
    "he2015",
    "he2016",
    "theory",
    "vanishing",
    "he2015init",
    "huang2016",
    "veit2016",
    "zagoruyko2016",
    "xie2016",
    "huang2017",
    "chen2018",
    "li2018",
    "vaswani2017",
    "miyato2018",
)


_FILES = {"theory": "popular.products", "vanishing": "popular.vanishing"}


@cache
def experiments() -> dict[str, Experiment]:
    """Every experiment by id, in the order of the papers."""
    modules = [importlib.import_module(f"residua.papers.{_FILES.get(paper, paper)}") for paper in PAPERS]
    return {item.id: item for module in modules for item in module.EXPERIMENTS}


def find(names: str) -> list[Experiment]:
    """The experiments of an id, of a paper (``he2015``), or ``all``. Raises UsageError with the nearest name."""
    known = experiments()
    if names == "all":
        return list(known.values())
    if names in PAPERS:
        return [item for item in known.values() if item.paper == names]
    if names not in known:
        raise UsageError(f"unknown experiment {names!r}{nearest(names, [*known, *PAPERS, 'all'])}")
    return [known[names]]
