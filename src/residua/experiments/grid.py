"""Run experiments: their cells on every core of this machine (or of a Ray cluster), seed by seed until decided.

Cells are independent folders, so a grid may be stopped in any way and go on later: what is complete is skipped, what
was interrupted continues bit for bit. A cell that fails is named in the result, and the others go on.
"""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

from residua.errors import ResiduaError, UsageError
from residua.experiments.cell import Cell, load, make_cell, measures, run_cell
from residua.experiments.experiment import Experiment, Scale, Setting
from residua.experiments.known import find
from residua.experiments.store import write_result
from residua.experiments.verdict import MAX_SEEDS, Verdict, judge
from residua.files import InUse
from residua.machine import usable_cores
from residua.spec import DataSpec
from residua.train import Interrupted as Stopped
from residua.train.plan import choose_device

OUT = Path("runs/reproduce")
QUICK_BATCHES = 22  # an epoch of the bundled digits: at the quick scale an epoch of any data is no longer
_GPU_JOBS = 4  # small networks do not fill a GPU alone
_ATTEMPTS = 3  # of a cell whose process is killed
_BUSY_SECONDS = 2.0  # between looks at a cell that another process runs


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a cell ended: its measures, or what went wrong in one line."""

    measures: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    interrupted: bool = False


class Progress(Protocol):
    """Told of a grid while it runs."""

    def update(self, done: int, total: int, text: str) -> None:
        """``done`` of the ``total`` cells that are planned so far are complete; the last one is described."""
        ...


class Interrupted(ResiduaError):
    """A grid was stopped by Ctrl-C; the same command goes on with it."""

    exit_code = 128 + signal.SIGINT


def reproduce(
    chosen: str | Sequence[str | Experiment],
    *,
    scale: Scale = "quick",
    data: str | None = None,
    seeds: int | None = None,
    max_seeds: int = MAX_SEEDS,
    out: Path = OUT,
    jobs: int | None = None,
    ray: str | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Run experiments and return the result of each, as its ``result.json`` under ``out`` holds it.

    Cells run in processes of their own: a script calls this below ``if __name__ == "__main__":``.

    Args:
        chosen: experiments, or their names: ``"he2015/degradation"``, a paper (``"he2015"``), ``"all"``.
        scale: ``quick``, ``small`` or ``paper``.
        data: instead of the settings' own data: a path to CIFAR-10, or any images; an experiment that needs other data
            keeps its own.
        seeds: to begin with, instead of the setting's.
        max_seeds: seeds are added up to this many, until the verdict is decided.
        out: the folder of all results; cells are shared by the experiments in it.
        jobs: cells at once; by default a core each.
        ray: the address of a Ray cluster on which the cells run; ``out`` must then be on a disk that its nodes share.
        device: of the trainings.
        progress: told of every cell.

    Raises UsageError for unknown names and numbers that make no sense, ResiduaError if the data cannot be read,
    Interrupted after Ctrl-C.

    """
    wanted = [chosen] if isinstance(chosen, str) else chosen
    found = [item for want in wanted for item in (find(want) if isinstance(want, str) else [want])]
    where = choose_device(device)
    plans = [
        Plan(
            experiment=experiment,
            scale=scale,
            data=data,
            first_seeds=seeds,
            max_seeds=max_seeds,
            root=out / "runs",
            device=where,
        )
        for experiment in {item.id: item for item in found}.values()
    ]
    run_plans(plans, lambda plan: write_result(plan, out), jobs=jobs, ray=ray, progress=progress)
    return [write_result(plan, out) for plan in plans]


def run_plans(
    plans: Sequence[Plan],
    finished: Callable[[Plan], object],
    *,
    jobs: int | None = None,
    ray: str | None = None,
    progress: Progress | None = None,
    wrap: Callable[[Callable[[], Any]], Any] = lambda make: make(),
) -> None:
    """Run every cell of the plans to their verdicts; ``finished(plan)`` is called as each is done.

    ``wrap(make)`` gives the executor, where what ``make()`` gives is not enough. Raises as ``reproduce``.
    """
    if jobs is not None and jobs < 1:
        raise UsageError(f"jobs are 1 or more, not {jobs}")
    jobs = jobs or (usable_cores() if all(plan.device == "cpu" for plan in plans) else _GPU_JOBS)
    executor = wrap(lambda: _executor(ray, jobs))
    grid = Grid(plans, executor, jobs if ray is None else 10_000, progress)
    try:
        grid.run(finished)
    finally:
        grid.close()


@dataclass(kw_only=True)
class Plan:
    """An experiment under way: which cells it has asked for, and what they gave."""

    experiment: Experiment
    scale: Scale
    data: str | None
    first_seeds: int | None
    max_seeds: int
    root: Path
    device: str
    evidence: dict[str, dict[int, dict[str, Any]]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)  # arm and seed: why
    asked: int = 0  # seeds
    identity: dict[str, Any] = field(default_factory=dict)  # of the data
    refused: str = ""  # why it cannot be judged here

    def __post_init__(self) -> None:
        first = 1 if self.first_seeds is None else self.first_seeds
        if not 1 <= first <= self.max_seeds:
            raise UsageError(f"seeds are from 1 to max_seeds, not {self.first_seeds} and {self.max_seeds}")

    @property
    def setting(self) -> Setting | None:
        """How it is run, or None where it cannot be."""
        setting = self.experiment.setting(self.scale)
        return setting if isinstance(setting, Setting) and not self.refused else None

    @property
    def reason(self) -> str:
        """Why it is not run."""
        setting = self.experiment.setting(self.scale)
        return self.refused or (setting if isinstance(setting, str) else "")

    def next_cells(self) -> list[tuple[str, int, Cell]]:
        """The cells of the next seeds, as (arm, seed, cell); none if the verdict is decided or seeds are used up."""
        if not self.setting:
            return []
        source = self._source(self.setting)
        if source is None:
            return []
        if self.setting.fixed:
            target = 1
        elif self.asked == 0:
            target = min(self.first_seeds or self.setting.seeds, self.max_seeds)
        else:
            target = self.asked if self.verdict().decided else min(self.asked + 1, self.max_seeds)
        chosen, self.asked = range(self.asked, target), target
        return [(arm, seed, cell) for seed in chosen for arm, cell in self._cells(self.setting, source, seed)]

    def verdict(self) -> Verdict:
        """The verdict on what is measured so far."""
        if not self.setting:
            return Verdict(status="not judged at this scale", checks=())
        return judge(self.setting.rules, self.evidence, self.max_seeds)

    def _cells(self, setting: Setting, source: str, seed: int) -> Iterable[tuple[str, Cell]]:
        borrowed = self.scale == "quick" and source != setting.source
        for arm in setting.arms:
            yield (
                arm.name,
                make_cell(
                    setting,
                    arm,
                    seed,
                    root=self.root,
                    source=source,
                    look=self.experiment.look,
                    device=self.device,
                    limit=QUICK_BATCHES if borrowed and not arm.source else None,
                ),
            )

    def _source(self, setting: Setting) -> str | None:
        """The data to run on; None, with the reason noted, where it is not the kind that the setting needs."""
        source = setting.source
        if self.data is not None and (setting.needs or source == "digits"):
            source = self.data
        elif setting.needs:
            self.refused = f"it needs {setting.needs}: --data PATH"
            return None
        loaded = load(DataSpec.of(source).change(val_fraction=0.0))
        if setting.needs and loaded.kind != setting.needs:
            self.refused = f"it needs {setting.needs}, and {source} is {loaded.kind}"
            return None
        self.identity = {
            "source": loaded.kind,
            "fingerprint": loaded.identity["fingerprint"]["sha256"],
            "counts": loaded.identity.get("counts", {}),
        }
        return source


class Grid:
    """The cells of several experiments, at most ``jobs`` at once, none twice and no two in one folder."""

    def __init__(
        self, plans: Sequence[Plan], executor: Executor, jobs: int, progress: Progress | None
    ) -> None:
        self._plans, self._executor, self._jobs, self._progress = plans, executor, jobs, progress
        self._waiting: deque[Cell] = deque()
        self._running: dict[Future[Outcome], Cell] = {}
        self._attempts: dict[str, int] = {}
        self._wanted: dict[str, list[tuple[Plan, str, int]]] = {}  # key of a cell: who waits for it
        self._left: dict[str, int] = {}  # experiment: cells it still waits for
        self._done = self._total = 0

    def run(self, finished: Any) -> None:
        """Run everything to its verdicts; ``finished(plan)`` is called as each is done."""
        self._finished = finished
        for plan in self._plans:
            self._advance(plan)
        try:
            while self._waiting or self._running:
                self._submit()
                done, _ = wait(self._running, return_when=FIRST_COMPLETED)
                for future in done:
                    self._collect(future)
        except KeyboardInterrupt:
            raise Interrupted("interrupted; the same command goes on where it stopped") from None

    def close(self) -> None:
        """Wait for the cells that are under way (after Ctrl-C they write their checkpoints) and end the processes."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _advance(self, plan: Plan) -> None:
        """Ask for an experiment's next cells; those that are complete already are read at once."""
        while True:
            cells = plan.next_cells()
            if not cells:
                self._finished(plan)
                return
            self._total += len(cells)
            open_cells = 0
            for arm, seed, cell in cells:
                if cell.complete:
                    self._done += 1
                    plan.evidence.setdefault(arm, {})[seed] = measures(cell)
                    continue
                open_cells += 1
                waiters = self._wanted.setdefault(_key(cell), [])
                if not waiters:
                    self._waiting.append(cell)
                waiters.append((plan, arm, seed))
            self._left[plan.experiment.id] = open_cells
            if open_cells:
                return

    def _submit(self) -> None:
        """Start cells while there is room; one whose folder is being worked in waits."""
        busy = {cell.folder for cell in self._running.values()}
        for _ in range(len(self._waiting)):
            if len(self._running) >= self._jobs:
                return
            cell = self._waiting.popleft()
            if cell.folder in busy:
                self._waiting.append(cell)
                continue
            busy.add(cell.folder)
            self._running[self._executor.submit(attempt, cell)] = cell

    def _collect(self, future: Future[Outcome]) -> None:
        cell = self._running.pop(future)
        key = _key(cell)
        try:
            outcome = future.result()
        except BrokenProcessPool:
            self._executor = self._executor_again()
            self._attempts[key] = self._attempts.get(key, 0) + 1
            if self._attempts[key] < _ATTEMPTS:
                self._waiting.append(cell)
                return
            outcome = Outcome(error="its process was killed (out of memory?)")
        if outcome.interrupted:
            raise KeyboardInterrupt
        for plan, arm, seed in self._wanted.pop(key):
            self._done += 1
            if outcome.error:
                plan.failed[f"{arm}, seed {seed}"] = outcome.error
            else:
                plan.evidence.setdefault(arm, {})[seed] = outcome.measures
            if self._progress is not None:
                text = f"{plan.experiment.id}  {arm}  seed {seed}"
                self._progress.update(
                    self._done, self._total, text + (": " + outcome.error if outcome.error else "")
                )
            self._left[plan.experiment.id] -= 1
            if not self._left[plan.experiment.id]:
                self._advance(plan)

    def _executor_again(self) -> Executor:
        """A pool in place of one whose process died; cells that were running in it are all collected as broken."""
        broken = self._executor
        if not getattr(broken, "_broken", False):
            return broken  # renewed already
        broken.shutdown(wait=False, cancel_futures=True)
        return _executor(None, self._jobs)


def attempt(cell: Cell) -> Outcome:
    """Run a cell; an exception comes back as a line of text, for not every exception can be sent."""
    try:
        with _interruptible():
            while True:
                try:
                    return Outcome(measures=run_cell(cell))
                except InUse:  # another grid runs the same cell: its result will do
                    time.sleep(_BUSY_SECONDS)
    except (Stopped, KeyboardInterrupt):
        return Outcome(interrupted=True)
    except Exception as error:
        kind = "" if isinstance(error, ResiduaError) else f"{type(error).__name__}: "
        return Outcome(error=kind + " ".join(str(error).split())[:300])


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C reaches every process of the terminal: those of a pool heed it while they run a cell, and only then."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _deaf() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _key(cell: Cell) -> str:
    return f"{cell.folder}|{cell.measured.name}"


def _executor(ray: str | None, jobs: int) -> Any:
    if ray is None:
        return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_deaf)
    from residua.experiments.ray_executor import RayExecutor

    return RayExecutor(ray)
