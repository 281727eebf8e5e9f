"""``residua compare``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from residua.cli.grid_bar import GridBar
from residua.cli.say import complain, say, say_json


def compare(
    a: str,
    b: str,
    /,
    *,
    match: Literal["none", "params", "macs", "time"] = "none",
    data: str | None = None,
    recipe: str | None = None,
    epochs: int | None = None,
    metric: str | None = None,
    smallest: float | None = None,
    seeds: int = 3,
    max_seeds: int = 20,
    budget: str | None = None,
    out: Path | None = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    jobs: Annotated[int | None, Parameter(name=["--jobs", "-j"])] = None,
    ray: str | None = None,
    device: str = "auto",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Train two networks with the same seeds until it is decided which is better: residua compare A B.

    Leaves one folder with the table (CSV, LaTeX), the curves and every run. The same command goes on where it stopped.

    Args:
        a: a name of `residua models`, a JSON or TOML file with a spec, or FILE.py:NAME: the file is run, and NAME is a
            spec in it, or a network or a unit that it registers. A unit means the other network with that unit.
        b: the same.
        match: what B shall cost as much of as A, by its width, or its depth where that does not do: none, params
            (parameters), macs (multiply-adds) or time (of a training step).
        data: digits, a folder of images, CIFAR-10 or CIFAR-100, or kind:path.
        recipe: how both are trained; by default A's own.
        epochs: passes over the training images.
        metric: test_error, train_error, early_train_error, test_loss or train_loss; of other tasks what they are judged
            by.
        smallest: the smallest difference that matters, in units of the metric; by default a point of an error. That
            there is none of that size is an answer, too.
        seeds: pairs to begin with; fewer than 3 decide nothing.
        max_seeds: the most pairs; they are added one by one until it is decided. No part of the test: it may be raised
            at any time.
        budget: no pair is added after this time (30m, 2h); the same command goes on with it.
        out: the folder; by default compare/A-B.
        overwrite: replace the evidence of another comparison in that folder; its trainings are kept.
        jobs: trainings at once; by default one for each core.
        ray: address of a Ray cluster on which the trainings are made; --out must be on a disk that its nodes share.
        device: auto, cpu, cuda or cuda:N.
        json: print one JSON object.

    """
    from residua.compare import compare as run
    from residua.search.target import parse_seconds

    result = run(
        a,
        b,
        match=match,
        data=data,
        recipe=recipe,
        epochs=epochs,
        metric=metric,
        smallest=smallest,
        seeds=seeds,
        max_seeds=max_seeds,
        budget=math.inf if budget is None else parse_seconds(budget, "--budget"),
        out=out,
        overwrite=overwrite,
        jobs=jobs,
        ray=ray,
        device=device,
        progress=GridBar(),
    )
    _draw(result)
    if json:
        say_json(result)
    else:
        say(*_text(result))
    for name, why in result["failed"].items():
        complain(f"{name} failed: {why}")
    return 1 if result["failed"] else 0


def _draw(result: dict[str, Any]) -> None:
    from residua.compare.question import FIGURES
    from residua.compare.tables import as_findings
    from residua.report.finding_figure import draw_finding

    if result["paired"] is None:
        return
    findings = as_findings(result)
    for name in FIGURES:
        draw_finding(findings, Path(result["folder"]) / name)


def _text(result: dict[str, Any]) -> list[str]:
    from residua.compare.tables import in_words
    from residua.description.columns import columns

    table = columns(in_words(result["table"], result["measures"]), flexible=0)
    return [*table, "", *result["notes"], result["sentence"], f"{result['folder']}/"]
