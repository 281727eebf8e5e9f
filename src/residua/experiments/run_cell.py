"""Do what a cell asks for: train its network, go on with a training that was stopped, look inside."""

from __future__ import annotations

from typing import Any

from residua.errors import ResiduaError, UsageError
from residua.experiments.cell import Cell, load
from residua.experiments.look_at import look_at
from residua.experiments.measures import finite, training_measures
from residua.files import read_json, write_json
from residua.loading import load_model
from residua.registry import build, model_spec
from residua.runs import layout
from residua.runs.folder import RunFolder
from residua.spec import DataSpec, Recipe
from residua.train.fitting import fit
from residua.train.plan import check_here
from residua.train.resuming import resume
from residua.train.seeding import seed_torch


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


def _train(cell: Cell) -> None:
    while not cell.trained:
        stood = layout.is_run(cell.folder)  # which appears whole
        try:
            if stood:
                source = str(DataSpec.from_dict(cell.data).source)
                resume(RunFolder(cell.folder), data=source, progress=False)
            else:
                _begin(cell)
        except UsageError:
            # another grid may have begun or ended the same run between the look at the folder and the lock on it
            if stood == layout.is_run(cell.folder) and not cell.trained:
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
        **_as_other_seeds(cell),
    )


def _as_other_seeds(cell: Cell) -> dict[str, Any]:
    """What a clock has chosen for another seed of the cell on a machine like this: all seeds share one plan."""
    for folder in sorted(cell.folder.parent.glob(f"{cell.folder.name.rpartition('-s')[0]}-s*")):
        if layout.is_run(folder):
            try:
                plan = RunFolder(folder).plan
                check_here(plan)
            except ResiduaError:  # damaged, or of another machine: its choices are not for this one
                continue
            return {
                "compile": "off" if plan.compile == "off" else "on",
                "cuda_graphs": plan.cuda_graphs or None,
            }
    return {}


def _network(cell: Cell) -> Any:
    if cell.model is None:
        return None
    if cell.recipe is None:
        seed_torch(cell.seed, "init")
        return build(model_spec(cell.model)).eval()
    if not (cell.folder / layout.WEIGHTS).exists():
        raise ResiduaError(f"{cell.folder} has no weights to look at: without the folder it is trained again")
    return load_model(cell.folder)
