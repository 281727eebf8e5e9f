"""The comparison itself: an experiment of two arms made on the fly, run by the same grid, judged by the same test."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from residua.compare import evidence as pages
from residua.compare import words
from residua.compare.cost import Match, cost_of
from residua.compare.own import OwnExecutor
from residua.compare.question import FIGURES, FILES, QUESTION, Question, ask, remember, settled
from residua.data.loaded import Data
from residua.experiments.cell import finite
from residua.experiments.experiment import Arm, Experiment, Setting
from residua.experiments.grid import Plan, Progress, run_plans
from residua.experiments.verdict import ALPHA, FIRST_LOOK, MAX_SEEDS, Contrast
from residua.files import write_json, write_text
from residua.machine import describe_machine
from residua.registry import model_spec
from residua.spec import ModelSpec
from residua.train.plan import choose_device


def compare(
    a: str,
    b: str,
    *,
    match: Match = "none",
    data: str | None = None,
    recipe: str | None = None,
    epochs: int | None = None,
    metric: str | None = None,
    seeds: int = FIRST_LOOK,
    max_seeds: int = MAX_SEEDS,
    out: Path | None = None,
    overwrite: bool = False,
    jobs: int | None = None,
    ray: str | None = None,
    device: str = "auto",
    progress: Progress | None = None,
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
        seeds: pairs to begin with; the test decides nothing on fewer than four.
        max_seeds: pairs are added one by one up to this many, until the test decides.
        out: the folder of the evidence; by default ``compare/A-B``. A comparison of the same things goes on in it.
        overwrite: let the folder's evidence go if it is of another comparison (its trainings are kept).
        jobs: trainings at once; by default a core each.
        ray: the address of a Ray cluster for the trainings.
        device: of the trainings.
        progress: told of every training.

    Raises UsageError for what cannot be compared, ResiduaError if the cost cannot be matched or the data not be read.

    """
    where = choose_device(device)
    question = ask(a, b, match=match, data=data, recipe=recipe, epochs=epochs, metric=metric)
    folder = out or question.folder
    found = settled(question, folder, where, overwrite=overwrite)
    specs = {question.one.label: question.one.spec, question.other.label: model_spec(found["b"])}
    rule = _rule(question)
    plan = Plan(
        experiment=_experiment(question, specs, rule),
        scale="quick",
        data=None,
        first_seeds=seeds,
        max_seeds=max_seeds,
        root=folder / "runs",
        device=where,
    )
    costs = {label: vars(cost_of(spec, question.data)) for label, spec in specs.items()}
    remember(question, folder, found)
    files = question.files
    run_plans(
        [plan],
        lambda _: None,
        jobs=jobs,
        ray=ray,
        progress=progress,
        wrap=lambda make: OwnExecutor(make, files) if files else make(),
    )
    outcome = words.tested(question, rule.test(plan.evidence, max_seeds))
    measures = [question.metric, *(("test_error", "train_error") if _images(question) else ()), "seconds"]
    measures = list(dict.fromkeys(measures))
    result: dict[str, Any] = {
        "schema": 1,
        **outcome,
        "sentence": words.sentence(outcome, plan.evidence),
        "notes": [*words.matching(question, found["matched"]), *question.notes],
        "matched": found["matched"],
        "table": pages.table(costs, plan.evidence, measures),
        "measures": measures,
        "specs": {label: spec.to_dict() for label, spec in specs.items()},
        "recipe": question.recipe.to_dict(),
        "data": plan.identity,
        "evidence": {
            label: {str(k): v for k, v in sorted(runs.items())} for label, runs in plan.evidence.items()
        },
        "failed": plan.failed,
        "seeds": plan.asked,
        "max_seeds": max_seeds,
        "folder": str(folder),
        "machine": describe_machine(),
        "command": ["residua", *sys.argv[1:]],
    }
    result = finite(result)
    _write(folder, result, question)
    return result


def _rule(question: Question) -> Contrast:
    """That the second network is better; either may be, so that each direction has half of the chance of an error."""
    sign = 1.0 if question.lower else -1.0
    return Contrast(
        text=f"{question.other.label} is better",
        measure=question.metric,
        weights={question.one.label: sign, question.other.label: -sign},
        alpha=ALPHA / 2,
    )


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
                arms=tuple(Arm(name=label, model=spec) for label, spec in specs.items()),
                rules=(rule,),
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


def _write(folder: Path, result: dict[str, Any], question: Question) -> None:
    rows, measures = result["table"], result["measures"]
    own = [file.name for file in question.files]
    write_json(folder / FILES[0], result)
    write_text(folder / FILES[1], pages.as_csv(rows, measures))
    write_text(folder / FILES[2], pages.as_latex(rows, measures))
    write_text(folder / FILES[3], pages.as_page(result, [*FILES[:3], *FIGURES, QUESTION, *own, "runs/"]))
    for file in question.files:
        write_text(folder / file.name, file.text)
