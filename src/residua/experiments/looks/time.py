"""How much of a training step stochastic depth saves, measured side by side in one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from residua.analysis.cost import cost
from residua.experiments.looks.inside import shown
from residua.nn import residual_units
from residua.registry import build
from residua.train.seeding import seed_torch


def skipping(network: Any, data: Any, seed: int, *, rounds: int = 12, batch: int = 64) -> dict[str, Any]:
    """A network with stochastic depth beside the same one without, step by step in turns on one thread.

    ``work_saved``: the expected share of the multiply-adds of a step that is skipped; ``time_saved``: the share of the
    time of a training step (forward, backward, SGD), the mean of all rounds of the one over that of the other. Percent.
    """
    units = residual_units(network)
    counted = cost(network, data.shape)
    inside = {
        name: sum(layer.multiply_adds for layer in counted.layers if layer.name.startswith(f"{name}.branch."))
        for name in units
    }
    skipped = sum(unit.drop_path.rate * inside[name] for name, unit in units.items())
    seed_torch(seed, "init")
    steps = [_step(net, data, batch) for net in (network, build(network.spec.change(drop_path=0.0)))]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for step in steps:
            step()
        pairs = [tuple(map(_seconds, steps)) for _ in range(rounds)]
    finally:
        torch.set_num_threads(threads)
    dropped, whole = (statistics.fmean(times) for times in zip(*pairs, strict=True))
    return {
        "work_saved": 100 * skipped / counted.multiply_adds,
        "time_saved": 100 * (1 - dropped / whole),
        "branches_skipped": 100 * statistics.fmean(unit.drop_path.rate for unit in units.values()),
    }


def _step(model: nn.Module, data: Any, batch: int) -> Callable[[], None]:
    images, labels = shown(data, batch, "train")
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()

    return step


def _seconds(step: Callable[[], None]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began
