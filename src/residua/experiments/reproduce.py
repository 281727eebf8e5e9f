"""Run experiments: their cells on every core of this machine (or of a Ray cluster), seed by seed until decided."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from residua.errors import UsageError
from residua.experiments.catalogue import find_experiments
from residua.experiments.executors.local import LocalExecutor
from residua.experiments.experiment import Experiment, Scale
from residua.experiments.grid import CellExecutor, Grid, GridProgress
from residua.experiments.rules.ruling import MAX_SEEDS
from residua.experiments.store import write_result
from residua.experiments.study import Study
from residua.machine import usable_cores
from residua.train.plan import choose_device

OUT = Path("runs/reproduce")
_GPU_JOBS = 4  # small networks do not fill a GPU alone
_RAY_JOBS = 10_000  # the cluster itself knows how many it has room for


def reproduce(
    chosen: str | Sequence[str | Experiment],
    *,
    scale: Scale = "quick",
    data: str | None = None,
    seeds: int | None = None,
    max_seeds: int = MAX_SEEDS,
    budget: float = math.inf,
    out: Path = OUT,
    jobs: int | None = None,
    ray: str | None = None,
    device: str = "auto",
    progress: GridProgress | None = None,
) -> list[dict[str, Any]]:
    """Run experiments and return the result of each, as its ``result.json`` under ``out`` holds it.

    Cells run in processes of their own: a script calls this below ``if __name__ == "__main__":``.

    Args:
        chosen: experiments, or their names: ``"he2015/degradation"``, a paper (``"he2015"``), ``"all"``.
        scale: ``quick``, ``small`` or ``paper``.
        data: instead of the settings' own data: a path to CIFAR-10, or any images; an experiment that needs other data
            keeps its own.
        seeds: to begin with, instead of the setting's.
        max_seeds: seeds are added up to this many, until the verdict is decided; no part of the test.
        budget: seconds from now after which no seed is added; what is begun ends, and the first seeds are always run.
        out: the folder of all results; cells are shared by the experiments in it.
        jobs: cells at once; by default a core each.
        ray: the address of a Ray cluster on which the cells run; ``out`` must then be on a disk that its nodes share.
        device: of the trainings.
        progress: told of every cell.

    Raises UsageError for unknown names and numbers that make no sense, ResiduaError if the data cannot be read,
    GridStopped after Ctrl-C.

    """
    wanted = [chosen] if isinstance(chosen, str) else chosen
    named = [
        item for want in wanted for item in (find_experiments(want) if isinstance(want, str) else [want])
    ]
    where, deadline = choose_device(device), time.monotonic() + budget
    studies = [
        Study(
            experiment=experiment,
            scale=scale,
            data=data,
            first_seeds=seeds,
            max_seeds=max_seeds,
            root=out / "runs",
            device=where,
            deadline=deadline,
        )
        for experiment in {item.id: item for item in named}.values()
    ]
    run_studies(studies, lambda study: write_result(study, out), jobs=jobs, ray=ray, progress=progress)
    return [write_result(study, out) for study in studies]


def run_studies(
    studies: Sequence[Study],
    finished: Callable[[Study], object] = lambda _: None,
    *,
    jobs: int | None = None,
    ray: str | None = None,
    progress: GridProgress | None = None,
) -> None:
    """Run every cell to the verdicts; ``finished(study)`` is called as each is done. Raises as ``reproduce``."""
    if jobs is not None and jobs < 1:
        raise UsageError(f"jobs are 1 or more, not {jobs}")
    # a process a core, of one thread each; `python -m benchmarks run many` measures the other ways
    jobs = jobs or (usable_cores() if all(study.device == "cpu" for study in studies) else _GPU_JOBS)
    executor = _executor(ray, jobs)
    try:
        Grid(studies, executor, jobs if ray is None else _RAY_JOBS, progress).run(finished)
    finally:
        executor.close()


def _executor(ray: str | None, jobs: int) -> CellExecutor:
    if ray is None:
        return LocalExecutor(jobs)
    from residua.experiments.executors.ray import RayExecutor

    return RayExecutor(ray)
