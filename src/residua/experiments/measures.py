"""The figures of a complete training, by name, from its two files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from residua.errors import ResiduaError
from residua.files import read_json
from residua.runs.logs import read_log

RESULT, METRICS = "result.json", "metrics.jsonl"


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


def _lines(run: Path) -> list[dict[str, Any]]:
    try:
        lines = [json.loads(line) for line in read_log(run).splitlines()]
    except ValueError as error:
        raise ResiduaError(f"cannot read {run / METRICS}: {error}") from error
    if not lines:
        raise ResiduaError(f"cannot read {run / METRICS}: there is nothing in it")
    return lines
