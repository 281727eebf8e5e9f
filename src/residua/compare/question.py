"""What is asked: two networks on the same data by the same recipe; and the folder that remembers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from residua.compare.contender import Contender, contenders
from residua.compare.matching import Match, match_cost
from residua.data import AnyData
from residua.errors import ResiduaError, UsageError, nearest
from residua.experiments.cell import load
from residua.files import read_json, write_json
from residua.registry import model_spec
from residua.spec import DataSpec, ModelSpec, Recipe
from residua.train import recipe as find_recipe
from residua.train.defaults import default_source, usual_recipe
from residua.train.task import task_of
from residua.user_files import UserFile, digests, files_behind

QUESTION = "comparison.json"
FILES = ("result.json", "table.csv", "table.tex", "README.md")
FIGURES = ("figure.png", "figure.svg", "figure.pdf")
# of classifiers: less is better
_ERRORS = ("test_error", "train_error", "early_train_error", "test_loss", "train_loss")


@dataclass(frozen=True, kw_only=True)
class Question:
    """A comparison before anything is trained; the specs of its two networks suit the data."""

    one: Contender
    other: Contender
    match: Match
    source: str
    data: AnyData
    recipe: Recipe
    named: str  # the recipe by name, and what the user changes of it
    changes: dict[str, Any]
    metric: str
    lower: bool  # whether less of the metric is better
    notes: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[UserFile, ...]:
        """The user's own files: those that are compared, and those that bring a part of what is."""
        named = (who.file for who in (self.one, self.other) if who.file is not None)
        specs = (self.one.spec, self.other.spec, self.recipe)
        return tuple(dict.fromkeys([*named, *files_behind([spec.to_dict() for spec in specs])]))

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
            "files": digests(self.files),
        }

    def differs(self, stored: Mapping[str, Any]) -> list[str]:
        """In what a stored question is another one; specs that an earlier version wrote are read as ones of today."""
        read = {"a": model_spec, "b": model_spec, "recipe": Recipe.from_dict}
        different = []
        for key, now in self.to_dict().items():
            before = stored.get(key, {})
            try:
                same = now == (read[key](before).to_dict() if key in read else before)
            except UsageError:  # of a network that there is not any more
                same = False
            different += [] if same else [key]
        return different

    def settle(self, device: str) -> dict[str, Any]:
        """The second network at the wanted cost. Raises ResiduaError if it cannot be had."""
        spec = self.other.spec
        if self.match == "none":
            return {"b": spec.to_dict(), "matched": None}
        spec, matched = match_cost(self.one.spec, spec, self.match, self.data, self.recipe, device)
        return {"b": spec.change(name=f"{spec.name}-{self.match}").to_dict(), "matched": asdict(matched)}


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
    source = data or default_source(one.spec)
    loaded = load(DataSpec.of(source).change(val_fraction=0.0))
    metric, lower = _metric(metric, one.spec, other.spec, loaded)
    named, own = recipe or usual_recipe(loaded.kind, one.spec), usual_recipe(loaded.kind, other.spec)
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
            differs = question.differs(asked)
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


def _metric(name: str | None, a: ModelSpec, b: ModelSpec, data: AnyData) -> tuple[str, bool]:
    """What is compared, and whether less of it is better."""
    told = data.about()
    tasks = [task_of(spec, told).kind for spec in (a, b)]
    if tasks[0] != tasks[1]:
        raise UsageError(
            f"{a.name} is trained for {tasks[0]}, {b.name} for {tasks[1]}: they cannot be compared"
        )
    if tasks[0] == "classification":
        known, lower = _ERRORS, True
    else:
        own = task_of(a, told).primary
        known, lower = (f"test_{own.name}",), own.direction == "min"
    if name is not None and name not in known:
        raise UsageError(f"unknown metric {name!r} of {tasks[0]}{nearest(name, known)}")
    return name or known[0], lower


def _fitting(who: Contender, data: AnyData) -> Contender:
    """The same with its spec on the data."""
    return replace(who, spec=who.spec.change(**data.model_changes(), name=who.label))
