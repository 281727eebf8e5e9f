"""Which weights ``inspection.json`` was made from, and making it anew where they are not the run's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from residua.errors import ResiduaError
from residua.report.inspection import read_inspection
from residua.weights.digest import digest_of

Origin = Literal["current", "stale", "unknown"]

_ANEW = {
    "stale": "inspection.json was made from other weights than the run has now",
    "unknown": "inspection.json does not say which weights it was made from",
}


def origin(run: Path, inspection: Mapping[str, Any]) -> Origin:
    """Whether an inspection is of the weights that the run has now: final ones, or while it is not complete the last.

    Version 0.1 named no weights. Its inspection is of others if the run has been extended since; nothing tells else.
    """
    result, named = run / "result.json", inspection.get("weights")
    weights = run / ("model.safetensors" if result.exists() else "checkpoints/last.safetensors")
    if named is not None and weights.exists():
        return "current" if named == digest_of(weights) else "stale"
    if not result.exists() or (run / "inspection.json").stat().st_mtime < result.stat().st_mtime:
        return "stale"
    return "unknown"


def inspect_again(
    run: Path, data: str | None = None, *, progress: Callable[[int, int], None] | None = None
) -> list[str]:
    """Make the inspection of a complete run of a classifier where it is missing, damaged or not of the run's weights.

    ``data`` says where the run's images lie now, if they have moved. Returns what there is to tell: why it was made
    anew, or why it could not be made. Raises nothing but for faults of the machine: a report can do without.
    """
    from residua.evaluation import inspect_run
    from residua.train import RunFolder
    from residua.train.task import run_task

    why = ""
    try:
        folder = RunFolder(run)
        if folder.result is None or run_task(folder).answers != "classes":
            return []
        try:
            found = read_inspection(run / "inspection.json")
            state = origin(run, found) if found else "missing"
            why = _ANEW.get(state, "")
        except ResiduaError as error:
            state, why = "damaged", str(error)
        if state == "current":
            return []
        inspect_run(folder, data=data, progress=progress)
    except ResiduaError as error:
        return [f"{run}: the report is made without a new look inside the network: {error}"]
    return [f"{run}: {why}: it was made anew"] if why else []
