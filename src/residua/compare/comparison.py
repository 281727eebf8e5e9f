"""The comparison itself: an experiment of two arms made on the fly, run by the same grid, judged by the same test."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from residua.compare import sentences, tables
from residua.compare.matching import Match, cost_of
from residua.compare.question import FIGURES, FILES, QUESTION, Question, ask, remember, settled
from residua.data.loaded import Data
from residua.errors import UsageError
from residua.experiments import Arm, Experiment, Setting
from residua.experiments.grid import GridProgress
from residua.experiments.measures import finite
from residua.experiments.reproduce import run_studies
from residua.experiments.rules import Contrast
from residua.experiments.rules.evalue import FEWEST
from residua.experiments.rules.ruling import MAX_SEEDS
from residua.experiments.study import Study
from residua.files import write_json, write_text
from residua.machine import describe_machine
from residua.registry import model_spec
from residua.spec import ModelSpec
from residua.train.plan import choose_device
from residua.user_files import UserFile

_POINT = 1.0  # of an error in percent


def compare(
    a: str,
    b: str,
    *,
    match: Match = "none",
    data: str | None = None,
    recipe: str | None = None,
    epochs: int | None = None,
    metric: str | None = None,
    smallest: float | None = None,
    seeds: int = FEWEST,
    max_seeds: int = MAX_SEEDS,
    budget: float = math.inf,
    out: Path | None = None,
    overwrite: bool = False,
    jobs: int | None = None,
    ray: str | None = None,
    device: str = "auto",
    progress: GridProgress | None = None,
) -> dict[str, Any]:
    """Train two networks with the same seeds until it is decided which is better, and return what was found.

    Args:
        a: a registered name, a JSON or TOML file with a spec, or ``FILE.py:NAME``, where the file, which is run, has a
            spec of that name, or registers a network or a unit of that name (a unit: ``b`` with that unit).
        b: the same.
        match: ``params``, ``macs`` or ``time``: ``b`` is made as wide (or deep) as costs the same.
        data: digits, a path, or kind:path; by default what ``a``'s family is trained on.
        recipe: of both; by default ``a``'s.
        epochs: instead of the recipe's.
        metric: what is compared; by default the error on the test images, or what the networks' task is judged by.
        smallest: the smallest difference that matters, in units of the metric; by default a point of an error.
        seeds: pairs to begin with; fewer than three decide nothing.
        max_seeds: pairs are added one by one up to this many, until it is decided; no part of the test.
        budget: seconds from now after which no pair is added; what is begun ends.
        out: the folder of the evidence; by default ``compare/A-B``. A comparison of the same things goes on in it.
        overwrite: let the folder's evidence go if it is of another comparison (its trainings are kept).
        jobs: trainings at once; by default a core each.
        ray: the address of a Ray cluster for the trainings.
        device: of the trainings.
        progress: told of every training.

    Raises UsageError for what cannot be compared, ResiduaError if the cost cannot be matched or the data not be read.

    """
    where, deadline = choose_device(device), time.monotonic() + budget
    question = ask(a, b, match=match, data=data, recipe=recipe, epochs=epochs, metric=metric)
    folder = out or question.folder
    found = settled(question, folder, where, overwrite=overwrite)
    specs = {question.one.label: question.one.spec, question.other.label: model_spec(found["b"])}
    rule = _rule(question, smallest)
    study = Study(
        experiment=_experiment(question, specs, rule),
        scale="quick",
        data=None,
        first_seeds=seeds,
        max_seeds=max_seeds,
        root=folder / "runs",
        device=where,
        deadline=deadline,
    )
    costs = {label: cost_of(spec, question.data) for label, spec in specs.items()}
    remember(question, folder, found)
    run_studies([study], jobs=jobs, ray=ray, progress=progress)
    outcome = sentences.tested(question, rule.check(study.evidence))
    measures = [question.metric, *(("test_error", "train_error") if _images(question) else ()), "seconds"]
    measures = list(dict.fromkeys(measures))
    result: dict[str, Any] = {
        "schema": 1,
        **outcome,
        "sentence": sentences.sentence(outcome, study.evidence),
        "notes": [*sentences.matching(question, found["matched"]), *question.notes],
        "matched": found["matched"],
        "table": tables.table(costs, study.evidence, measures),
        "measures": measures,
        "specs": {label: spec.to_dict() for label, spec in specs.items()},
        "recipe": question.recipe.to_dict(),
        "data": study.identity,
        "evidence": {
            label: {str(k): v for k, v in sorted(runs.items())} for label, runs in study.evidence.items()
        },
        "failed": study.failed,
        "seeds": study.asked,
        "max_seeds": max_seeds,
        "folder": str(folder),
        "machine": describe_machine(),
        "command": ["residua", *sys.argv[1:]],
    }
    result = finite(result)
    _write(folder, result, question.files)
    return result


def _rule(question: Question, smallest: float | None) -> Contrast:
    """That the second network is better."""
    if smallest is None and question.metric.endswith("_error"):
        smallest = _POINT
    if smallest is not None and not 0 < smallest < math.inf:
        raise UsageError(f"the smallest difference that matters is above 0, not {smallest:g}")
    sign = 1.0 if question.lower else -1.0
    weights = {question.one.label: sign, question.other.label: -sign}
    return Contrast(question.metric, weights, smallest=smallest)


def _experiment(question: Question, specs: dict[str, ModelSpec], rule: Contrast) -> Experiment:
    a, b = specs
    return Experiment(
        id=f"compare/{a}-{b}",
        title=f"{a} against {b}",
        zh=f"{a} 与 {b}",
        claims=(),
        where="",
        settings={
            "quick": Setting(
                arms=tuple(Arm(label, spec) for label, spec in specs.items()),
                rules={f"{b} is better": rule},
                recipe=question.named,
                changes=question.changes,
                source=question.source,
                curves=_images(question),
            )
        },
    )


def _images(question: Question) -> bool:
    """Whether the data are images with classes, on whose test part an epoch can be measured."""
    return isinstance(question.data, Data)


def _write(folder: Path, result: dict[str, Any], files: Sequence[UserFile]) -> None:
    rows, measures = result["table"], result["measures"]
    named = [*FILES[:3], *FIGURES, QUESTION, *(file.name for file in files), "runs/"]
    write_json(folder / FILES[0], result)
    texts = (tables.as_csv(rows, measures), tables.as_latex(rows, measures), tables.as_page(result, named))
    for name, text in [*zip(FILES[1:], texts, strict=True), *((file.name, file.text) for file in files)]:
        write_text(folder / name, text)
