"""The cells of a grid on an existing Ray cluster, one core each.

A cell is a folder on a disk that the nodes share. So Ray has only to start it somewhere: where its worker or node dies,
Ray starts it again elsewhere, it waits until the dead process has let go of the folder's lock, and goes on from the
last checkpoint, bit for bit.
"""

from __future__ import annotations

import dataclasses
import importlib
import subprocess
import sys
import uuid
from collections.abc import Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

from residua.data.load import split_source
from residua.errors import ResiduaError, UsageError
from residua.experiments.attempt import CellResult, attempt
from residua.experiments.cell import Cell
from residua.user_files import UserFile

CONNECT_SECONDS = 30.0
_RETRIES = 3  # of a cell whose worker or node dies
_STOP_SECONDS = 60.0  # for cancelled cells to write their checkpoints
# Ray itself waits for minutes for a cluster that is not there, and may end the process: another process tries first
_PROBE = "import ray, sys; ray.init(address=sys.argv[1], log_to_driver=False, logging_level='ERROR')"


class Stopped(Exception):
    """A worker was told to end while it ran a cell: Ray starts the cell elsewhere, unless it was cancelled."""


class RayExecutor:
    """What a grid needs of an executor, on the cluster at ``address`` (``HOST:PORT``, or ``auto`` for this machine's).

    Raises UsageError without Ray, ResiduaError if no cluster answers within ``seconds``.
    """

    def __init__(self, address: str, *, seconds: float = CONNECT_SECONDS) -> None:
        self._ray = _import_ray()
        _probe(address, seconds)
        self._ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        self._run = self._ray.remote(num_cpus=1, max_retries=_RETRIES, retry_exceptions=[Stopped])(_run)
        self._pending: dict[Future[CellResult], Any] = {}
        self._marks: dict[str, Path] = {}  # root of cells: the file by which a node knows that it shares it

    def submit(self, cell: Cell, files: Sequence[UserFile]) -> Future[CellResult]:
        """Run a cell on a free core of any node; what goes wrong there becomes the result's error."""
        cell = _anywhere(cell)
        run = self._run if cell.device == "cpu" else self._run.options(num_gpus=1)
        reference = run.remote(cell, files, str(self._mark(cell.root)))
        future: Future[CellResult] = Future()
        future.set_running_or_notify_cancel()
        self._pending[future] = reference
        reference.future().add_done_callback(lambda done: self._settle(future, done))
        return future

    def close(self) -> None:
        """Cancel what is left, let it write its checkpoints, and leave the cluster."""
        pending = dict(self._pending)
        for reference in pending.values():
            self._ray.cancel(reference)
        wait(pending, timeout=_STOP_SECONDS)
        for mark in self._marks.values():
            mark.unlink(missing_ok=True)
        self._ray.shutdown()

    def _settle(self, future: Future[CellResult], done: Future[CellResult]) -> None:
        self._pending.pop(future, None)
        try:
            future.set_result(done.result())
        except Exception as error:  # Ray's own, or of a node on which residua cannot be imported
            future.set_result(CellResult(error=f"Ray could not run it: {_line(error)}"))

    def _mark(self, root: str) -> Path:
        """A file beside the cells, made once: who sees it sees them."""
        if root not in self._marks:
            Path(root).mkdir(parents=True, exist_ok=True)
            mark = Path(root) / f".shared-{uuid.uuid4().hex}"
            mark.touch()
            self._marks[root] = mark
        return self._marks[root]


def _run(cell: Cell, files: Sequence[UserFile], mark: str) -> CellResult:
    """In the worker."""
    if not Path(mark).exists():
        return CellResult(error=f"its node does not share {cell.root}: --out must be on a disk of all nodes")
    ended = attempt(cell, files)
    if ended.interrupted:
        raise Stopped
    return ended


def _anywhere(cell: Cell) -> Cell:
    """The cell with paths that do not depend on where a worker stands."""
    kind, path = split_source(cell.data["source"])
    source = cell.data["source"]
    if path and Path(path).expanduser().exists():
        absolute = str(Path(path).expanduser().absolute())
        source = f"{kind}:{absolute}" if kind else absolute
    return dataclasses.replace(
        cell, root=str(Path(cell.root).absolute()), data={**cell.data, "source": source}
    )


def _import_ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise UsageError("--ray needs Ray: pip install 'residua[ray]'") from error


def _probe(address: str, seconds: float) -> None:
    where = f"no Ray cluster to work on at {address}"
    try:
        command = [sys.executable, "-c", _PROBE, address]
        ran = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise ResiduaError(f"{where}: nothing answered within {seconds:g} s") from error
    if ran.returncode:
        said = ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"]
        raise ResiduaError(f"{where}: {_line(said[-1])}")


def _line(error: object) -> str:
    """The last line of an error: Ray's contain whole tracebacks."""
    return (str(error).strip() or type(error).__name__).splitlines()[-1].strip()[:300]
