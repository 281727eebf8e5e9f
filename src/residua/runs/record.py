"""A run folder as the report reads it: plain checked values, without torch, from a run cut off anywhere."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from residua.errors import ResiduaError, UsageError
from residua.files import read_json
from residua.report.origin import Origin, origin
from residua.report.shape import COUNT, MEASURED, POSITIVE, SHARE, TEXT, Optional, check
from residua.runs.inspection import read_inspection
from residua.runs.logs import read_log

STEP = {"step": COUNT, "lr": Optional(MEASURED), "loss": Optional(MEASURED)}
EPOCH = {
    "epoch": COUNT,
    "step": Optional(COUNT),
    "lr": Optional(MEASURED),
    "train_loss": Optional(MEASURED),
    "train_accuracy": Optional(SHARE),
    "val_loss": Optional(MEASURED),
    "val_accuracy": Optional(SHARE),
}
RESULT = {
    "model": Optional(TEXT),
    "data": Optional(TEXT),
    "seed": Optional(COUNT),
    "parameters": Optional(COUNT),
    "multiply_adds": Optional(COUNT),
    "epochs": Optional(COUNT),
    "steps": Optional(COUNT),
    "seconds": Optional(POSITIVE),
    "train_accuracy": Optional(SHARE),
    "val_accuracy": Optional(SHARE),
    "primary": Optional(TEXT),
    "test_accuracy": Optional(SHARE),
    "test_loss": Optional(MEASURED),
}


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run folder. ``steps`` and ``epochs`` are columns of numbers, NaN where a line had none."""

    path: Path
    spec: dict[str, Any]
    recipe: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    env: dict[str, Any] = field(default_factory=dict)
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
    def model(self) -> str:
        """The name of the network."""
        return str(self.get("model") or self.spec.get("name") or "?")

    @property
    def dataset(self) -> str:
        """What the images are: a known set, or the name of a folder."""
        kind = str(self.data.get("kind") or self.get("data") or "?")
        return Path(str(self.data.get("path") or kind)).name if kind == "folder" else kind

    @property
    def limited(self) -> bool:
        """Whether only the first batches of every part were used (``--limit-batches``)."""
        return bool(self.env.get("limit_batches"))

    @property
    def classes(self) -> list[str]:
        """Names of the classes; empty if nothing in the folder tells them."""
        names = self.inspection.get("classes") or self.data.get("classes")
        return [str(name) for name in names] if isinstance(names, list) else []

    @property
    def metric(self) -> str:
        """What the network is judged by; ``val_<metric>`` is then a column of ``epochs``."""
        return str(self.get("primary") or "accuracy")

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
    """Read a run folder.

    Raises UsageError if ``path`` is no run folder, and ResiduaError that names the file and the line or key
    that is damaged. Files that an unfinished run has not written yet are read as empty.
    """
    if not path.is_dir():
        raise UsageError(f"{path} is no run folder: there is no such directory")
    if not (path / "spec.json").exists():
        raise UsageError(f"{path} is no run folder: it holds no spec.json")
    tables = {name: _table(path / f"{name}.json") for name in ("spec", "recipe", "data", "plan", "env")}
    result = None
    if (path / "result.json").exists():
        result = _table(path / "result.json")
        check(result, RESULT, str(path / "result.json"))
    steps, epochs, cut = _read_metrics(path, (result or {}).get("primary") or "accuracy")
    inspection = read_inspection(path / "inspection.json")
    inspected = origin(path, inspection) if inspection else None
    return Run(
        path=path.resolve(),  # "latest" is a link: the page shows the run's own name
        **tables,
        steps=steps,
        epochs=epochs,
        cut=cut,
        result=result,
        inspection={} if inspected == "stale" else inspection,
        inspected=inspected,
    )


def _table(path: Path) -> dict[str, Any]:
    values = read_json(path) if path.exists() else {}
    check(values, {}, str(path))
    return values


def _read_metrics(run: Path, metric: str) -> tuple[dict[str, list[float]], dict[str, list[float]], bool]:
    """The columns of the step lines and of the epoch lines, and whether the last line is cut off."""
    own = {f"{split}_{metric}": Optional(MEASURED) for split in ("train", "val")}
    shapes = {"step": STEP, "epoch": own | EPOCH}
    columns = {kind: {key: [] for key in shape} for kind, shape in shapes.items()}
    path, lines = run / "metrics.jsonl", read_log(run).split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path} line {number}"
        try:
            values = json.loads(line)
        except (
            ValueError,
            RecursionError,
        ) as error:  # ValueError: no JSON, no UTF-8, a number of 5,000 digits
            if number == len(lines):  # only a whole line ends in a line break: the writer was stopped here
                return columns["step"], columns["epoch"], True
            raise ResiduaError(f"{where} is damaged: it is not valid JSON") from error
        check(values, {"event": TEXT}, where)
        shape = shapes.get(values["event"])
        if shape is not None:
            check(values, shape, where)
            for key, column in columns[values["event"]].items():
                value = values.get(key)
                column.append(math.nan if value is None else float(value))
    return columns["step"], columns["epoch"], False
