"""Looking at a finished run from inside where nobody has since its weights are what they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from residua.errors import ResiduaError
from residua.evaluation.inspect import inspect_run
from residua.runs.folder import RunFolder
from residua.runs.inspection import origin, read_inspection
from residua.train.task import task_of

_ANEW = {
    "stale": "inspection.json was made from other weights than the run has now",
    "unknown": "inspection.json does not say which weights it was made from",
    "unjudged": "inspection.json does not say what became of the training (an earlier residua wrote it)",
}


def inspect_again(
    run: Path, data: str | None = None, *, progress: Callable[[int, int], None] | None = None
) -> list[str]:
    """Make the inspection of a complete run of a classifier where it is missing, damaged or not of the run's weights.

    ``data`` says where the run's images lie now, if they have moved. Returns what there is to tell: why it was made
    anew, or why it could not be made. Raises nothing but for faults of the machine: a report can do without.
    """
    why = ""
    try:
        folder = RunFolder(run)
        if folder.result is None or task_of(folder.spec, folder.data, folder.recipe).answers != "classes":
            return []
        try:
            found = read_inspection(run)
            state = origin(run, found) if found else "missing"
            if state == "current" and "outcome" not in found:
                state = "unjudged"
            why = _ANEW.get(state, "")
        except ResiduaError as error:
            state, why = "damaged", str(error)
        if state == "current":
            return []
        inspect_run(folder, data=data, progress=progress)
    except ResiduaError as error:
        return [f"{run}: the report is made without a new look inside the network: {error}"]
    return [f"{run}: {why}: it was made anew"] if why else []
