"""The comparison itself: an experiment of two arms made on the fly, run by the same grid, judged by the same test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from residua.data.base import Data
from residua.errors import UsageError, nearest
from residua.files import read_json, write_json, write_text
from residua.machine import describe_machine
from residua.papers.cell import finite, load
from residua.papers.compare import evidence as pages
from residua.papers.compare.contender import Contender, contenders
from residua.papers.compare.cost import WORDS, Match, cost_of, match_cost
from residua.papers.compare.own import OwnExecutor
from residua.papers.experiment import Arm, Experiment, Setting
from residua.papers.runner import Plan, Progress, run_plans
from residua.papers.verdict import ALPHA, FIRST_LOOK, MAX_SEEDS, Contrast, Paired
from residua.registry import family, model_spec
from residua.spec import DataSpec, ModelSpec
from residua.train import recipe as find_recipe
from residua.train.defaults import default_recipe, default_source
from residua.train.plan import choose_device
from residua.train.tasks import primary

QUESTION = "comparison.json"
FILES = ("result.json", "table.csv", "table.tex", "README.md")
FIGURES = ("figure.png", "figure.svg", "figure.pdf")
_CLASSIFICATION = (
    "test_error",
    "train_error",
    "early_train_error",
    "test_loss",
    "train_loss",
)  # all: less is better


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
    one, other = contenders(a, b)
    measure, lower = _metric(metric, one.spec, other.spec)
    where = choose_device(device)
    source = data or default_source(one.spec)
    loaded = load(DataSpec(source=source, val_fraction=0.0))
    name = recipe or default_recipe(loaded, one.spec)
    changes = {} if epochs is None else {"epochs": epochs}
    chosen = find_recipe(name, **changes)
    specs = [_fitting(who, loaded.model_changes()) for who in (one, other)]
    folder = out or Path("compare") / "-".join(
        [one.label, other.label, *([] if match == "none" else [match])]
    )
    question = {
        "a": specs[0].to_dict(),
        "b": specs[1].to_dict(),
        "match": match,
        "data": loaded.identity["fingerprint"]["sha256"],
        "recipe": chosen.to_dict(),
        "metric": measure,
    }

    def settle() -> dict[str, Any]:
        if match == "none":
            return {"b": specs[1].to_dict(), "matched": None}
        spec, matched = match_cost(specs[0], specs[1], match, loaded, chosen, where)
        return {"b": spec.change(name=f"{spec.name}-{match}").to_dict(), "matched": matched.to_dict()}

    settled = _settled(folder, question, settle, overwrite=overwrite)
    arms = {one.label: specs[0], other.label: model_spec(settled["b"])}
    rule = Contrast(
        text=f"{other.label} is better",
        measure=measure,
        weights={one.label: 1.0, other.label: -1.0} if lower else {one.label: -1.0, other.label: 1.0},
        alpha=ALPHA
        / 2,  # either may be the better one: both directions together are wrong with the chance ALPHA
    )
    experiment = Experiment(
        id=f"compare/{one.label}-{other.label}",
        title=f"{one.label} against {other.label}",
        zh=f"{one.label} 与 {other.label}",
        claims=(),
        where="",
        settings={
            "quick": Setting(
                arms=tuple(Arm(name=label, model=spec) for label, spec in arms.items()),
                rules=(rule,),
                recipe=name,
                changes=changes,
                source=source,
                curves=isinstance(loaded, Data),
            )
        },
    )
    plan = Plan(
        experiment=experiment,
        scale="quick",
        data=None,
        first_seeds=seeds,
        max_seeds=max_seeds,
        root=folder / "runs",
        device=where,
    )
    files = tuple(dict.fromkeys(who.file for who in (one, other) if who.file is not None))
    run_plans(
        [plan],
        lambda _: None,
        jobs=jobs,
        ray=ray,
        progress=progress,
        wrap=lambda make: OwnExecutor(make, files) if files else make(),
    )
    measures = tuple(
        dict.fromkeys([measure, *(_CLASSIFICATION[:2] if isinstance(loaded, Data) else ()), "seconds"])
    )
    costs = {label: vars(cost_of(spec, loaded)) for label, spec in arms.items()}
    tested = rule.test(plan.evidence, max_seeds)
    result: dict[str, Any] = {
        "schema": 1,
        "a": one.label,
        "b": other.label,
        "better": _better(tested, one.label, other.label),
        "metric": measure,
        "paired": tested and _paired(tested, lower),
    }
    result |= {
        "sentence": _sentence(result, plan.evidence),
        "notes": _notes(settled["matched"], one, other, name, default_recipe(loaded, other.spec)),
        "matched": settled["matched"],
        "table": pages.table(costs, plan.evidence, measures),
        "measures": list(measures),
        "specs": {label: spec.to_dict() for label, spec in arms.items()},
        "recipe": chosen.to_dict(),
        "data": plan.identity,
        "evidence": {
            arm: {str(k): v for k, v in sorted(runs.items())} for arm, runs in plan.evidence.items()
        },
        "failed": plan.failed,
        "seeds": plan.asked,
        "max_seeds": max_seeds,
        "folder": str(folder),
        "machine": describe_machine(),
        "command": ["residua", *sys.argv[1:]],
    }
    _write(folder, result, [file.name for file in files])
    for file in files:
        write_text(folder / file.name, file.text)
    return result


def _metric(name: str | None, a: ModelSpec, b: ModelSpec) -> tuple[str, bool]:
    """What is compared, and whether less of it is better."""
    tasks = [family(spec.family).task for spec in (a, b)]
    if tasks[0] != tasks[1]:
        raise UsageError(
            f"{a.name} is trained for {tasks[0]}, {b.name} for {tasks[1]}: they cannot be compared"
        )
    if tasks[0] == "classification":
        known, lower = _CLASSIFICATION, True
    else:
        own = primary(a)
        known, lower = (f"test_{own.name}",), own.direction == "min"
    if name is not None and name not in known:
        raise UsageError(f"unknown metric {name!r} of {tasks[0]}{nearest(name, known)}")
    return name or known[0], lower


def _fitting(who: Contender, changes: Mapping[str, Any]) -> ModelSpec:
    """The spec on the data, under a name that says of which version of the user's file it is."""
    name = who.label if who.file is None else f"{who.label}@{who.file.digest}"
    return who.spec.change(**changes, name=name)


def _settled(
    folder: Path, question: dict[str, Any], settle: Callable[[], dict[str, Any]], *, overwrite: bool
) -> dict[str, Any]:
    """What was settled when this comparison was first made in the folder, or is now; times are measured once."""
    path = folder / QUESTION
    if path.exists():
        stored = read_json(path)
        asked = stored.get("question", {})
        if asked == question:
            return stored["settled"]
        if not overwrite:
            differs = ", ".join(key for key in question if asked.get(key) != question[key])
            raise UsageError(
                f"{folder} holds another comparison ({differs} differs): --overwrite replaces it, --out takes another "
                "folder"
            )
    elif folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not overwrite):
        raise UsageError(f"{folder} exists and holds no comparison: --out takes another folder")
    settled = settle()
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*FILES, *FIGURES):
        (folder / name).unlink(missing_ok=True)
    write_json(path, {"schema": 1, "question": question, "settled": settled})
    return settled


def _better(tested: Paired | None, a: str, b: str) -> str | None:
    if tested is None or tested.status == "undecided":
        return None
    return b if tested.status == "direction reproduced" else a


def _paired(tested: Paired, lower: bool) -> dict[str, Any]:
    """The test in figures: the difference b - a, and the one-sided p of either being better."""
    sample = tested.sample
    return {
        "difference": -sample.mean if lower else sample.mean,
        "sd": sample.sd,
        "pairs": sample.n,
        "p_a_better": tested.below,
        "p_b_better": tested.above,
        "level": tested.level,
    }


def _sentence(result: Mapping[str, Any], evidence: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> str:
    """Which is better, by how much and how surely; or that it is not decided."""
    a, b, measure, paired = (result[key] for key in ("a", "b", "metric", "paired"))
    words, unit = measure.replace("_", " "), " %" if measure.endswith("_error") else ""
    if paired is None:
        return f"Nothing is known: no pair of seeds has a {words} of both {a} and {b}."
    pairs = [seed for seed in evidence[a] if seed in evidence[b]]
    means = {
        label: sum(float(evidence[label][seed][measure]) for seed in pairs) / len(pairs) for label in (a, b)
    }
    spread = "" if paired["sd"] is None else f" ± {paired['sd']:.2g}"
    size = f"{abs(paired['difference']):.3g}{spread} in {paired['pairs']} pairs of seeds"
    p = min(paired["p_a_better"], paired["p_b_better"])
    if result["better"] is not None:
        best, worst = (a, b) if result["better"] == a else (b, a)
        return (
            f"{best} is better: {words} {means[best]:.4g}{unit} against {means[worst]:.4g}{unit} of {worst}, a difference "
            f"of {size} (p = {p:.2g}, decided below {paired['level']:.2g})."
        )
    few = f" Fewer than {FIRST_LOOK} pairs decide nothing." if paired["pairs"] < FIRST_LOOK else ""
    return (
        f"Undecided between {a} and {b}: {words} {means[a]:.4g}{unit} and {means[b]:.4g}{unit}, a difference of {size} "
        f"(p = {p:.2g}, decided below {paired['level']:.2g}).{few}"
    )


def _notes(
    matched: Mapping[str, Any] | None, one: Contender, other: Contender, recipe: str, own: str
) -> list[str]:
    notes = []
    if matched is not None:
        changed = ", ".join(f"{key} {value}" for key, value in matched["changes"].items())
        how = f"{matched['factor']:.3g} times the {matched['what']} ({changed})" if changed else "as it is"
        notes.append(
            f"Matched by {WORDS[matched['by']]}: {other.label}, {how}, has {matched['ratio']:.3f} times those of "
            f"{one.label}."
        )
    if own != recipe:
        notes.append(f"Both are trained by the recipe {recipe}; that of {other.label} alone would be {own}.")
    return notes


def _write(folder: Path, result: dict[str, Any], own: list[str]) -> None:
    rows, measures = result["table"], result["measures"]
    write_json(folder / FILES[0], finite(result))
    write_text(folder / FILES[1], pages.as_csv(rows, measures))
    write_text(folder / FILES[2], pages.as_latex(rows, measures))
    write_text(folder / FILES[3], pages.as_page(result, [*FILES[:3], *FIGURES, QUESTION, *own, "runs/"]))
