"""The run folder: the unit of everything that follows a training."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from residua import cards
from residua.errors import ResiduaError, UsageError
from residua.files import read_json, remove, write_json
from residua.registry import family, spec_from_dict
from residua.runs import layout
from residua.runs.inspection import read_inspection
from residua.runs.metrics import read_metrics
from residua.runs.outcome import Outcome
from residua.runs.plan import Plan
from residua.runs.tables import DataTable, EnvTable, ResultTable
from residua.spec import DataSpec, ModelSpec, Recipe
from residua.spec.stored import read_stored
from residua.user_files import files_missing

T = TypeVar("T")


class RunFolder:
    """A training on disk. Every property is read from its file when it is asked for.

    Who writes to it holds its place (``residua.runs.place.writing``). Raises ResiduaError if ``path`` is no run folder;
    so do the properties, naming the file, if it is damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not layout.is_run(self.path):
            missing = next(name for name in layout.TABLES if not (self.path / name).is_file())
            raise ResiduaError(f"{self.path} is not a run folder: it has no {missing}")

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.resolve().name

    @property
    def spec(self) -> ModelSpec:
        """The model's spec."""
        return self._read(layout.SPEC, spec_from_dict)

    @property
    def recipe(self) -> Recipe:
        """How it is trained."""
        return self._read(layout.RECIPE, self._recipe_of)

    def _recipe_of(self, values: Any) -> Recipe:
        if isinstance(values, dict) and values.get("schema") == 1:  # which stated no task
            values = {"task": family(self.spec.family).task, **values}
        return Recipe.from_dict(values)

    @property
    def plan(self) -> Plan:
        """Every automatic choice."""
        plan: Plan = read_stored(self.path / layout.PLAN, Plan)
        low = self.table(layout.RECIPE).get("recompute") is True  # as version 0.1 had it
        return plan.change(memory="low") if low else plan

    @property
    def data(self) -> dict[str, Any]:
        """The data's identity: source, fingerprint, classes, split, mean, std, skipped files."""
        return self.table(layout.DATA, DataTable)

    @property
    def data_spec(self) -> DataSpec:
        """Where the images came from; a path that was relative to another folder is found all the same."""
        data = self.data
        spec = self._read(layout.DATA, lambda _: DataSpec.from_dict(data["spec"]))
        path = data.get("path")
        if not isinstance(path, str) or not Path(path).exists():
            return spec
        source = {**spec.source.to_dict(), "kind": data["kind"], "path": path}
        return self._read(layout.DATA, lambda _: spec.change(source=source))

    @property
    def env(self) -> dict[str, Any]:
        """Versions, hardware, seed, command, sessions."""
        return self.table(layout.ENV, EnvTable)

    @property
    def seed(self) -> int:
        """The seed that everything random follows from."""
        return self.env["seed"]

    @property
    def limit(self) -> int | None:
        """At most so many batches an epoch, and in each evaluation."""
        return self.env.get("limit_batches")

    @property
    def result(self) -> dict[str, Any] | None:
        """The final figures, or None while the training is not complete."""
        return self.table(layout.RESULT, ResultTable) if layout.is_complete(self.path) else None

    @property
    def outcome(self) -> Outcome | None:
        """Whether it learned; None while it is not complete, and where nobody has looked since it has been."""
        result = self.result
        found: Outcome | None = read_inspection(self.path).get("outcome") if result else None
        return found if result and found and found.epochs == result["epochs"] else None

    @property
    def last(self) -> Path:
        """The checkpoint to go on from."""
        return self.path / layout.LAST

    @property
    def best(self) -> Path:
        """The weights that did best on the validation images; absent without any."""
        return self.path / layout.BEST

    @property
    def weights(self) -> Path:
        """The final weights, or those of the last checkpoint while the training is not complete."""
        if layout.is_complete(self.path):
            return self.path / layout.WEIGHTS
        return self.last  # of a run that is being extended, the earlier final weights are still there

    def metrics(self, event: str | None = None) -> list[dict[str, Any]]:
        """The lines of its metrics, or those of one event (``"step"``, ``"epoch"``)."""
        return [line for line in read_metrics(self.path)[0] if event in (None, line["event"])]

    def table(self, name: str, shape: Any = dict[str, Any]) -> dict[str, Any]:
        """The table of one of its files, as it stands there; ``shape`` says what it must hold."""
        return read_stored(self.path / name, shape)

    def begin_session(self) -> None:
        """State that somebody works on it again."""
        env = self.env
        self._write(layout.ENV, {**env, "sessions": [*env["sessions"], _session()]})

    def extend(self, recipe: Recipe) -> None:
        """Take a longer recipe: the training is no longer complete."""
        remove(self.path / layout.RESULT)
        self._write(layout.RECIPE, recipe.to_dict())

    def replan(self, plan: Plan) -> None:
        """Take other automatic choices."""
        self._write(layout.PLAN, plan.to_dict())

    def skip(self, files: Sequence[Mapping[str, str]]) -> None:
        """State that more files (``path``, ``reason``) could not be read than was known when it began."""
        data = self.data
        known = data.get("skipped") or []
        if more := [dict(file) for file in files if file not in known]:
            self._write(layout.DATA, {**data, "skipped": [*known, *more]})

    def complete(self, result: Mapping[str, Any]) -> None:
        """State the final figures, after everything else is written."""
        self._write(layout.RESULT, result)

    def write_inspection(self, found: Mapping[str, Any]) -> None:
        """Keep what was found inside its network."""
        self._write(layout.INSPECTION, found)

    def _write(self, name: str, values: Mapping[str, Any]) -> None:
        write_json(self.path / name, values)

    def _read(self, name: str, make: Callable[[Any], T]) -> T:
        """What ``make`` makes of a JSON file; what it does not like is the file's fault, not the caller's."""
        path = self.path / name
        try:
            return make(read_json(path))
        except UsageError as error:
            env = self.path / layout.ENV  # whose own damage is not what is to be said here
            files = read_stored(env, dict[str, Any]).get("files") if env.exists() else None
            missing = files_missing(files if isinstance(files, dict) else {})
            raise ResiduaError(
                f"{self.path}: {missing}" if missing else f"{path} is damaged: {error}"
            ) from error

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    def _repr_html_(self) -> str:
        result, outcome = self.result or {}, self.outcome
        figures = {
            "state": "complete" if result else "not complete",
            "model": self.spec.name,
            "data": self.data["kind"],
            "epochs": result.get("epochs"),
            **{
                key.replace("_", " "): value
                for key, value in result.items()
                if key.startswith(("test_", "val_"))
            },
        }
        rows = [
            (key, f"{v:.4g}" if isinstance(v, float) else v) for key, v in figures.items() if v is not None
        ]
        said = [cards.text(outcome.sentence)] if outcome else []
        return cards.card(f"run {self.name}", *said, cards.table(rows))


def first_session() -> dict[str, Any]:
    """What ``env.json`` says of a training that begins: the command, and who works on it."""
    session = _session()
    return {"command": session["command"], "sessions": [session]}


def _session() -> dict[str, Any]:
    command = [Path(sys.argv[0]).name, *sys.argv[1:]]
    return {"started": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "command": command}
