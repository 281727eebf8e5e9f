"""The figures of a complete training, by name, from its two files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from residua.errors import ResiduaError
from residua.runs import layout
from residua.runs.metrics import read_metrics
from residua.spec.stored import read_stored


def training_measures(folder: Path) -> dict[str, Any]:
    """Figures of a complete training; errors in percent, curves as lists by epoch (from 1)."""
    result = read_stored(folder / layout.RESULT, dict[str, Any])
    found: dict[str, Any] = {
        k: v for k, v in result.items() if isinstance(v, int | float) and not isinstance(v, bool)
    }
    lines, _ = read_metrics(folder)
    if not lines:
        raise ResiduaError(f"cannot read {folder / layout.METRICS}: there is nothing in it")
    epochs = [line for line in lines if line["event"] == "epoch"]
    found["curve_epoch"] = [line["epoch"] + 1 for line in epochs]
    for part, name in (("train", "train"), ("val", "test")):
        keys = [
            k.removeprefix(f"{part}_") for k in (epochs[-1] if epochs else {}) if k.startswith(f"{part}_")
        ]
        for key in keys:
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
    if "test_error" in found and train and train[-1] is not None:
        found["gap"] = found["test_error"] - found["train_error"]
    found["diverged"] = 100.0 * _diverged(found)
    return found


def _diverged(found: Mapping[str, Any]) -> bool:
    """Whether a loss ends above where it began, or a GAN's images more than twice as far off as they were at best."""
    losses, distances = (
        [value for value in found.get(name, ()) if value is not None]
        for name in ("curve_train_loss", "curve_test_frechet_distance")
    )
    if distances:
        return distances[-1] > 2 * min(distances)
    return bool(losses) and losses[-1] > losses[0]


def finite(value: Any) -> Any:
    """The same with None for every number that is not finite, for JSON."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
