"""Looks that ask residua.analysis about a network on images of the data: any kind of finding, lesions, paths."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from residua.analysis.finding import Finding, Panel
from residua.analysis.lesion_study import delete_each, delete_many, reorder
from residua.analysis.paths import path_lengths
from residua.data import normalize
from residua.evaluation.analyze import analyze


def shown(data: Any, count: int, split: str = "test") -> tuple[Tensor, Tensor]:
    """``count`` images (N, C, H, W) of a split, evenly spaced and normalised, and their labels (N,)."""
    part = data.split(split)
    positions = np.unique(np.linspace(0, len(part) - 1, min(count, len(part))).astype(np.int64))
    pixels, labels = part.read(positions)
    return normalize(pixels, data.mean, data.std), labels


def finding(
    network: Any,
    data: Any,
    seed: int,
    *,
    kind: str,
    images: int | None = None,
    split: str = "test",
    panel: int | None = None,
    **options: Any,
) -> dict[str, Any]:
    """The figures of a kind of ``residua.analysis.kinds``; of one of its panels the curves too."""
    (look,) = analyze(kind, network, data, images=images, split=split, seed=seed, options=options)
    return figures(look.finding, panel)


def figures(found: Finding, panel: int | None = None) -> dict[str, Any]:
    """The figures of a finding, and the curves of one of its panels; a name that both have is a curve's with a mark."""
    values = {name: value for name, value in found.values.items() if isinstance(value, int | float)}
    drawn = {} if panel is None else _curves(found.panels[panel])
    return values | {f"{name}_curve" if name in values else name: value for name, value in drawn.items()}


def _curves(panel: Panel) -> dict[str, Any]:
    found: dict[str, Any] = {"x": [float(x) for x in panel.curves[0].x], "x_label": panel.x_label}
    for curve in panel.curves:
        if len(curve.x) == len(found["x"]):
            found[_name(curve.label or panel.y_label)] = [float(y) for y in curve.y]
    return found


def lesions(
    network: Any, data: Any, seed: int, *, images: int = 128, draws: int = 5, most: int = 16
) -> dict[str, Any]:
    """Veit et al. 2016, sec. 4: errors in percent without one unit, without several, and after swaps.

    ``one_deleted`` is by how many points one missing unit raises the error, a mean over the units that keep the shape
    (the paper excepts the others, ``halving_deleted``); ``chance_gap`` how far below chance the error then is.
    ``largest_step`` is the largest rise from one number of missing units to the next one measured, as a share of the
    whole rise: 1 is a cliff. ``order_correlation`` is that of the error with Kendall's tau of the order of units: -1
    would be a decay in proportion.
    """
    pixels, labels = shown(data, images)
    (intact,) = {e for many in delete_many(network, pixels, labels, counts=[0], draws=1) for e in many.errors}
    each = [one for one in delete_each(network, pixels, labels) if one.error is not None]
    alone = [float(one.error or 0) for one in each if one.site.input == one.site.output]
    halving = [float(one.error or 0) for one in each if one.site.input != one.site.output]
    chance = 1 - int(labels.bincount().max()) / len(labels)
    counts = [n for n in (1, 2, 4, 8, 16) if n <= min(len(each), most)]
    many = delete_many(network, pixels, labels, counts=counts, draws=draws, seed=seed)
    errors = [intact, *(statistics.fmean(one.errors) for one in many)]
    rises = [b - a for a, b in pairwise(errors)]
    moved = reorder(network, pixels, labels, draws=draws, seed=seed)
    whole = errors[-1] - intact
    return {
        "error": 100 * intact,
        "chance": 100 * chance,
        "one_deleted": 100 * (statistics.fmean(alone) - intact) if alone else None,
        "worst_deleted": 100 * (max(alone) - intact) if alone else None,
        "halving_deleted": 100 * (statistics.fmean(halving) - intact) if halving else None,
        "chance_gap": 100 * (chance - statistics.fmean(alone)) if alone else None,
        "largest_step": max(rises) / whole if rises and whole > 0 else None,
        "order_correlation": _correlation([one.tau for one in moved], [one.error for one in moved]),
        "deletable": len(each),
        "x": [0, *counts],
        "x_label": "number of units deleted",
        "error_by_deleted_units": [100 * error for error in errors],
    }


def path_counts(
    network: Any, data: Any, seed: int, *, ranges: Mapping[str, tuple[int, int]]
) -> dict[str, Any]:
    """The share of a network's paths in ranges of lengths, in percent, by its structure alone."""
    lengths = path_lengths(network, torch.zeros(1, *data.shape))
    total = sum(lengths)
    return {
        "units": len(lengths) - 1,
        "log2_paths": math.log2(total),
        **{name: 100 * sum(lengths[low : high + 1]) / total for name, (low, high) in ranges.items()},
        "x": list(range(len(lengths))),
        "x_label": "length of the path (units whose branch it takes)",
        "share_of_paths": [100 * count / total for count in lengths],
    }


def _correlation(x: list[float], y: list[float]) -> float | None:
    """Pearson's; None where nothing varies."""
    if len(set(x)) < 2 or len(set(y)) < 2:
        return None
    return statistics.correlation(x, y)


def _name(label: str) -> str:
    spelt = label.lower().replace(" + ", " plus ").replace(" - ", " minus ")
    return re.sub(r"[^a-z0-9]+", "_", spelt).strip("_")
