"""What is asked: two networks on the same data by the same recipe; and the folder that remembers it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from residua.compare.contender import Contender, contenders
from residua.compare.cost import Match, match_cost
from residua.compare.own import OwnFile
from residua.data import Source
from residua.errors import ResiduaError, UsageError, nearest
from residua.experiments.cell import load
from residua.files import read_json, write_json
from residua.registry import family, model_spec
from residua.spec import DataSpec, ModelSpec, Recipe
from residua.train import recipe as find_recipe
from residua.train.defaults import default_recipe, default_source
from residua.train.task import task_of

QUESTION = "comparison.json"
FILES = ("result.json", "table.csv", "table.tex", "README.md")
FIGURES = ("figure.png", "figure.svg", "figure.pdf")
_ERRORS = (
    "test_error",
    "train_error",
    "early_train_error",
    "test_loss",
    "train_loss",
)  # of classifiers: less is better


@dataclass(frozen=True, kw_only=True)
class Question:
    """A comparison before anything is trained; the specs of its two networks suit the data."""

    one: Contender
    other: Contender
    match: Match
    source: str
    data: Source
    recipe: Recipe
    named: str  # the recipe by name, and what the user changes of it
    changes: dict[str, Any]
    metric: str
    lower: bool  # whether less of the metric is better
    notes: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[OwnFile, ...]:
        """The user's own files."""
        return tuple(dict.fromkeys(who.file for who in (self.one, self.other) if who.file is not None))

    @property
    def folder(self) -> Path:
        """Where the evidence stands by default."""
        matched = [] if self.match == "none" else [self.match]
        return Path("compare") / "-".join([self.one.label, self.other.label, *matched])

    def to_dict(self) -> dict[str, Any]:
        """All that makes it another question."""
        return {
            "a": self.one.spec.to_dict(),
            "b": self.other.spec.to_dict(),
            "match": self.match,
            "data": self.data.identity["fingerprint"]["sha256"],
            "recipe": self.recipe.to_dict(),
            "metric": self.metric,
        }

    def settle(self, device: str) -> dict[str, Any]:
        """The second network at the wanted cost. Raises ResiduaError if it cannot be had."""
        spec = self.other.spec
        if self.match == "none":
            return {"b": spec.to_dict(), "matched": None}
        spec, matched = match_cost(self.one.spec, spec, self.match, self.data, self.recipe, device)
        return {"b": spec.change(name=f"{spec.name}-{self.match}").to_dict(), "matched": matched.to_dict()}


def ask(
    a: str,
    b: str,
    *,
    match: Match,
    data: str | None,
    recipe: str | None,
    epochs: int | None,
    metric: str | None,
) -> Question:
    """The question that the user asks, with every choice made. Raises UsageError for what cannot be compared."""
    one, other = contenders(a, b)
    metric, lower = _metric(metric, one.spec, other.spec)
    source = data or default_source(one.spec)
    loaded = load(DataSpec(source=source, val_fraction=0.0))
    named, own = recipe or default_recipe(loaded, one.spec), default_recipe(loaded, other.spec)
    note = f"Both are trained by the recipe {named}; that of {other.label} alone would be {own}."
    changes = {} if epochs is None else {"epochs": epochs}
    return Question(
        one=_fitting(one, loaded),
        other=_fitting(other, loaded),
        match=match,
        source=source,
        data=loaded,
        recipe=find_recipe(named, **changes),
        named=named,
        changes=changes,
        metric=metric,
        lower=lower,
        notes=() if own == named or recipe else (note,),
    )


def settled(question: Question, folder: Path, device: str, *, overwrite: bool) -> dict[str, Any]:
    """What was settled when the question was first asked in the folder (a time is measured once), or is now.

    Raises UsageError if the folder holds anything else, unless it is a comparison and may be overwritten.
    """
    path = folder / QUESTION
    if path.exists():
        stored = read_json(path)
        try:
            asked, before = stored["question"], stored["settled"]
            differs = [key for key, value in question.to_dict().items() if asked.get(key) != value]
        except (KeyError, TypeError, AttributeError) as error:
            raise ResiduaError(f"{path} is damaged: it is no comparison") from error
        if not differs:
            return before
        if not overwrite:
            raise UsageError(
                f"{folder} holds another comparison ({', '.join(differs)}): --overwrite replaces it, --out takes "
                "another folder"
            )
    elif folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise UsageError(f"{folder} exists and holds no comparison: --out takes another folder")
    return question.settle(device)


def remember(question: Question, folder: Path, found: dict[str, Any]) -> None:
    """Make the folder say what is compared in it; what another comparison has left there but its trainings goes."""
    path = folder / QUESTION
    comparison = {"schema": 1, "question": question.to_dict(), "settled": found}
    if path.exists() and read_json(path) == comparison:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (*FILES, *FIGURES):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise ResiduaError(f"cannot write {folder}: {error.strerror or error}") from error
    write_json(path, comparison)


def _metric(name: str | None, a: ModelSpec, b: ModelSpec) -> tuple[str, bool]:
    """What is compared, and whether less of it is better."""
    tasks = [family(spec.family).task for spec in (a, b)]
    if tasks[0] != tasks[1]:
        raise UsageError(
            f"{a.name} is trained for {tasks[0]}, {b.name} for {tasks[1]}: they cannot be compared"
        )
    if tasks[0] == "classification":
        known, lower = _ERRORS, True
    else:
        own = task_of(a, {}).primary
        known, lower = (f"test_{own.name}",), own.direction == "min"
    if name is not None and name not in known:
        raise UsageError(f"unknown metric {name!r} of {tasks[0]}{nearest(name, known)}")
    return name or known[0], lower


def _fitting(who: Contender, data: Source) -> Contender:
    """Its spec on the data, under a name that says of which version of the user's file it is."""
    name = who.label if who.file is None else f"{who.label}@{who.file.digest}"
    spec = model_spec(who.spec, **{**data.model_changes(), "name": name})
    return dataclasses.replace(who, spec=spec)
