"""A run as plain checked values, read once. Needs no torch, and nothing of what its specs name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from residua.errors import UsageError
from residua.runs import layout
from residua.runs.folder import RunFolder
from residua.runs.inspection import Origin, origin, read_inspection
from residua.runs.metrics import read_metrics
from residua.runs.tables import LINES
from residua.spec.check import Measured
from residua.spec.stored import checked


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run. ``steps`` and ``epochs`` are columns of numbers, NaN where a line had none."""

    path: Path
    spec: dict[str, Any]
    recipe: dict[str, Any]
    data: dict[str, Any]
    plan: dict[str, Any]
    env: dict[str, Any]
    steps: dict[str, list[float]]
    epochs: dict[str, list[float]]
    cut: bool  # the last line of metrics.jsonl is not whole
    result: dict[str, Any] | None  # None: the run is not complete
    inspection: dict[str, Any]  # empty: there is none, or it is of other weights
    inspected: Origin | None = None  # of which weights; None: there is no inspection

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def samples(self) -> Path:
        """The picture of what a generator makes."""
        return self.path / layout.SAMPLES

    @property
    def page(self) -> Path:
        """Its own report."""
        return self.path / layout.PAGE

    @property
    def model(self) -> str:
        """The name of the network."""
        return str(self.get("model") or self.spec.get("name") or "?")

    @property
    def dataset(self) -> str:
        """What the images are: a known set, or the name of a folder."""
        kind = self.data["kind"]
        return Path(str(self.data.get("path") or kind)).name if kind == "folder" else kind

    @property
    def limited(self) -> bool:
        """Whether only the first batches of every part were used (``--limit-batches``)."""
        return bool(self.env.get("limit_batches"))

    @property
    def classes(self) -> list[str]:
        """Names of the classes; empty where there are none."""
        return [str(name) for name in self.inspection.get("classes") or self.data["classes"]]

    @property
    def seed(self) -> int:
        """What everything random follows from."""
        return self.env["seed"]

    @property
    def metric(self) -> str:
        """What the network is judged by; ``val_<metric>`` is then a column of ``epochs``."""
        return str(self.get("primary") or "accuracy")

    def path_in_data(self, path: str | None) -> str | None:
        """The path of an image as it is seen from the folder of the data, if it lies there."""
        root = self.data.get("path")
        if path is None or not isinstance(root, str):
            return path
        return Path(path).relative_to(root).as_posix() if Path(path).is_relative_to(root) else path

    def get(self, key: str) -> Any:
        """A value of ``result.json``, None if the run has none."""
        return (self.result or {}).get(key)

    def images(self, split: str) -> int | None:
        """How many images of the ``train``, ``val`` or ``test`` part were used, None if the folder does not say."""
        counts = self.data.get("counts")
        n = counts.get(split) if isinstance(counts, dict) else None
        return n if type(n) is int and n > 0 and not self.limited else None

    def last(self, key: str) -> float | None:
        """The value of a column of ``epochs`` at the last epoch, None where there is none."""
        column = self.epochs[key]
        return column[-1] if column and math.isfinite(column[-1]) else None


def read_run(path: Path) -> Run:
    """Read a run folder, finished or not.

    Raises UsageError if ``path`` is no run folder, and ResiduaError that names the file and the line or key
    that is damaged.
    """
    if not layout.is_run(path):
        why = "it lacks what every run has" if path.is_dir() else "there is no such directory"
        raise UsageError(f"{path} is no run folder: {why}")
    run = RunFolder(path)
    result = run.result
    lines, cut = read_metrics(path)
    metric = (result or {}).get("primary", "accuracy")
    own = [key for key in (f"train_{metric}", f"val_{metric}") if key not in LINES["epoch"].__annotations__]
    inspection = read_inspection(path)
    inspected = origin(path, inspection) if inspection else None
    return Run(
        path=path.resolve(),  # "latest" is a link: the page shows the run's own name
        spec=run.table(layout.SPEC),
        recipe=run.table(layout.RECIPE),
        data=run.data,
        plan=run.table(layout.PLAN),
        env=run.env,
        steps=_columns(lines, "step", path),
        epochs=_columns(lines, "epoch", path, own),
        cut=cut,
        result=result,
        inspection={} if inspected == "stale" else inspection,
        inspected=inspected,
    )


def _columns(
    lines: list[dict[str, Any]], event: str, run: Path, own: Sequence[str] = ()
) -> dict[str, list[float]]:
    """The numbers of the lines of an event, by key: those that every task has, and some of its ``own``."""
    chosen = [line for line in lines if line["event"] == event]
    for line in chosen:
        for key in own:
            checked(line.get(key), Measured | None, f"{run / layout.METRICS}, {key} of epoch {line['epoch']}")
    return {
        key: [math.nan if line.get(key) is None else float(line[key]) for line in chosen]
        for key in (*own, *LINES[event].__annotations__)
    }
