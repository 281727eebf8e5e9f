"""One cell of a grid: a network trained (or only built) with one seed, and what is measured of it.

A cell is a folder. A training is a run folder with all that belongs to it; where ``result.json`` and ``metrics.jsonl``
alone are left of one (what is committed of a long grid), the cell still counts as run. Experiments share cells: the
name of the folder says model, recipe and data, with a digest of every field of them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from residua.data import load_data
from residua.errors import ResiduaError, UsageError
from residua.experiments.experiment import Arm, Setting
from residua.experiments.looks.table import look_at
from residua.files import read_json, write_json
from residua.loading import load_model
from residua.registry import build, model_spec
from residua.runs.folder import RunFolder
from residua.runs.logs import read_log
from residua.spec import DataSpec, Recipe, Spec
from residua.train import recipe as find_recipe
from residua.train.fit import fit, resume
from residua.train.seeding import seed_torch

RESULT, METRICS = "result.json", "metrics.jsonl"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Everything that decides what is measured; plain values, so that it can be sent to another process."""

    root: str  # the folder of all cells
    model: dict[str, Any] | None  # a spec; None: the look needs no network
    data: dict[str, Any]  # a data spec
    kind: str  # of the data
    fingerprint: str  # of the data
    recipe: dict[str, Any] | None  # None: not trained
    look: str
    options: dict[str, Any]  # of the look
    seed: int
    device: str = "cpu"
    limit: int | None = None  # batches of an epoch and of an evaluation

    @property
    def folder(self) -> Path:
        """``<data>/<model>-<digest>-s<seed>`` below the root."""
        name = self.model["name"] if self.model else self.look
        trained = "" if self.recipe else "-untrained"
        return (
            Path(self.root)
            / f"{self.kind}-{self.fingerprint[:8]}"
            / f"{name}{trained}-{self._digest()}-s{self.seed}"
        )

    @property
    def measured(self) -> Path:
        """The file of what the look found."""
        options = "" if not self.options else "-" + _sha(self.options)[:8]
        return self.folder / f"look-{self.look}{options}.json"

    @property
    def trained(self) -> bool:
        """Whether the training is complete, or none is needed."""
        return self.recipe is None or (self.folder / RESULT).exists()

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return self.trained and (not self.look or self.measured.exists())

    def _digest(self) -> str:
        model = None if self.model is None else _told(model_spec(self.model))
        recipe = None if self.recipe is None else _told(Recipe.from_dict(self.recipe))
        data = _told(DataSpec.from_dict({**self.data, "source": "digits"}))  # data may lie elsewhere
        return _sha([model, data, recipe, *([] if self.limit is None else [self.limit])])[:8]


def make_cell(
    setting: Setting,
    arm: Arm,
    seed: int,
    *,
    root: Path,
    source: str,
    look: str = "",
    device: str = "cpu",
    limit: int | None = None,
) -> Cell:
    """The cell of an arm and a seed on the data at ``source``. Reads the data, for its fingerprint."""
    recipe = find_recipe(setting.recipe, **{**setting.changes, **arm.recipe}) if setting.recipe else None
    data = DataSpec.of(arm.source or source).change(
        val_fraction=0.0, validate_on="test" if setting.curves else "val"
    )
    loaded = load(data)
    spec = model_spec(arm.model, **{**loaded.model_changes(), **arm.changes}) if arm.model else None
    return Cell(
        root=str(root),
        model=None if spec is None else spec.to_dict(),
        data=data.to_dict(),
        kind=loaded.kind,
        fingerprint=loaded.identity["fingerprint"]["sha256"],
        recipe=None if recipe is None else recipe.to_dict(),
        look=look,
        options=dict(arm.options),
        seed=seed,
        device=device,
        limit=limit,
    )


@lru_cache(maxsize=4)
def load(spec: DataSpec) -> Any:
    """The data of a spec, kept: the cells of a grid share it."""
    return load_data(spec)


def run_cell(cell: Cell) -> dict[str, Any]:
    """Do what is left to do of a cell and return its measures.

    A training that was interrupted goes on bit for bit. Raises InUse if another process is at it, ResiduaError if
    it fails, Interrupted after a signal.
    """
    if not cell.trained:
        _train(cell)
    if cell.look and not cell.measured.exists():
        found = look_at(
            cell.look, _network(cell), load(DataSpec.from_dict(cell.data)), cell.seed, cell.options
        )
        cell.folder.mkdir(parents=True, exist_ok=True)
        write_json(cell.measured, finite(found))
    return measures(cell)


def measures(cell: Cell) -> dict[str, Any]:
    """Every figure of a complete cell by name: of its result, of its curves, and what was seen inside."""
    found: dict[str, Any] = {}
    if cell.recipe is not None:
        found |= training_measures(cell.folder)
    if cell.look:
        found |= read_json(cell.measured)
    return found


def training_measures(folder: Path) -> dict[str, Any]:
    """Figures of a complete training; errors in percent, curves as lists by epoch (from 1)."""
    result = read_json(folder / RESULT)
    found: dict[str, Any] = {
        k: v for k, v in result.items() if isinstance(v, int | float) and not isinstance(v, bool)
    }
    epochs = [line for line in _lines(folder) if line.get("event") == "epoch"]
    found["curve_epoch"] = [line["epoch"] + 1 for line in epochs]
    for part, name in (("train", "train"), ("val", "test")):
        for key in ("accuracy", "loss"):
            curve = [line.get(f"{part}_{key}") for line in epochs]
            if any(value is not None for value in curve):
                error = key == "accuracy"
                curve = [None if v is None else 100 * (1 - v) if error else v for v in curve]
                found[f"curve_{name}_{'error' if error else key}"] = curve
    if "test_accuracy" in found:  # absent where another metric is primary
        found["test_error"] = 100 * (1 - found["test_accuracy"])
    train = found.get("curve_train_error")
    if train:
        found["train_error"] = train[-1]
        early = train[: max(math.ceil(len(train) / 4), 1)]
        found["early_train_error"] = sum(early) / len(early)  # mean over the first quarter of the epochs
    return found


def finite(value: Any) -> Any:
    """The same with None for every number that is not finite, for JSON."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _train(cell: Cell) -> None:
    begun = cell.folder / "spec.json"  # a run folder appears whole
    while not cell.trained:
        stood = begun.exists()
        try:
            if stood:
                source = str(DataSpec.from_dict(cell.data).source)
                resume(RunFolder(cell.folder), data=source, progress=False)
            else:
                _begin(cell)
        except UsageError:
            # another grid may have begun or ended the same run between the look at the folder and the lock on it
            if stood == begun.exists() and not cell.trained:
                raise


def _begin(cell: Cell) -> None:
    assert cell.recipe is not None and cell.model is not None
    fit(
        model_spec(cell.model),
        DataSpec.from_dict(cell.data),
        Recipe.from_dict(cell.recipe),
        seed=cell.seed,
        run_dir=cell.folder,
        device=cell.device,
        limit_batches=cell.limit,
        threads=1,  # several cells share the machine, each with a core of its own; and it does not change the numbers
        progress=False,
    )


def _network(cell: Cell) -> Any:
    if cell.model is None:
        return None
    if cell.recipe is None:
        seed_torch(cell.seed, "init")
        return build(model_spec(cell.model)).eval()
    if not (cell.folder / "model.safetensors").exists():
        raise ResiduaError(f"{cell.folder} has no weights to look at: without the folder it is trained again")
    return load_model(cell.folder)


def _lines(run: Path) -> list[dict[str, Any]]:
    try:
        lines = [json.loads(line) for line in read_log(run).splitlines()]
    except ValueError as error:
        raise ResiduaError(f"cannot read {run / METRICS}: {error}") from error
    if not lines:
        raise ResiduaError(f"cannot read {run / METRICS}: there is nothing in it")
    return lines


def _told(spec: Spec) -> dict[str, Any]:
    """The fields that differ from their defaults: a field that a later version adds changes no digest."""
    values = spec.to_dict()
    return {
        field.name: values[field.name]
        for field in dataclasses.fields(spec)
        if field.default is dataclasses.MISSING or getattr(spec, field.name) != field.default
    }


def _sha(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
