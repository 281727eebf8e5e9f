"""A whole epoch of ResNet-20 with its data.

*conventional* is the loop that most training scripts have: every image by itself through PIL (padded by 4, cropped,
mirrored, normalised as torchvision's transforms do it) in a DataLoader with the number of workers that is quickest
here, an eager float32 network, SGD. *residua* runs its batches and its step as `fit` does. Both train on the same
made-up images of CIFAR's size, for what is on them costs nothing. The limit is the network's convolutions alone,
forward and backward. Of what is compiled, the seconds of compiling stand apart and are added to a single epoch.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any
from unittest.mock import patch

from benchmarks.front_door import EMULATED, Result

BATCH, SIDE, CLASSES = 128, 32, 10
EPOCH = 50_000  # images of CIFAR's epoch: what compiling is counted against
CONVENTIONAL, LIMIT = "conventional", "convolutions alone"


def options(parser: argparse.ArgumentParser) -> None:
    """How much of an epoch."""
    parser.add_argument("--images", type=int, default=12_800, help="of a turn (a whole epoch has 50,000)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of every candidate")
    parser.add_argument("--no-compile", action="store_true", help="leave out what is compiled")


def measure(asked: argparse.Namespace) -> Result:
    """Both loops over the same images, in turns."""
    import torch

    from benchmarks.conventional import best_workers, conventional_epoch
    from benchmarks.convolutions import convolutions_alone
    from residua.loading import create_model
    from residua.machine import compiler, machine, usable_cores
    from residua.timing import compare, spread

    torch.set_num_threads(usable_cores())
    images, rounds = (1_280, 3) if asked.quick else (asked.images, asked.rounds)
    bf16 = machine().has_fast_bf16
    skipped = [] if bf16 else [EMULATED]
    compile = not (asked.no_compile or asked.quick)
    if compile and (problem := compiler().problem):
        compile = False
        skipped.append(f"what is compiled: the C++ compiler: {problem}.")
    data = made_up(images)
    workers, rates = best_workers(data, BATCH, usable_cores())
    print(f"epoch: {workers} workers are the quickest here: {rates}", file=sys.stderr, flush=True)
    candidates: dict[str, Callable[[], object]] = {CONVENTIONAL: conventional_epoch(data, BATCH, workers)}
    best, compiling = "residua eager", {}
    candidates[best], _ = residua_epoch(data, compile="off")
    if compile:
        with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, RESIDUA_CACHE=folder):
            for word in ("cold", "warm"):
                torch.compiler.reset()
                candidates["residua compiled"], compiling[word] = residua_epoch(data, compile="on")
    model, batch = create_model("cifar_resnet20"), torch.randn(BATCH, 3, SIDE, SIDE)
    alone = convolutions_alone(model, batch, bf16=bf16)
    candidates[LIMIT] = lambda: [alone() for _ in range(images // BATCH)]
    found = compare(candidates, rounds=rounds, warmup=1, min_seconds=0)
    evidence = found.to_dict()
    counted = images // BATCH * BATCH
    for row in evidence["candidates"].values():
        row["images_per_second"] = counted / row["median_seconds"]
        limits = evidence["candidates"][LIMIT]["seconds"]
        shares = [limit / own for limit, own in zip(limits, row["seconds"], strict=True)]
        row["limit_share"] = spread(shares, 0.1).median
        row["epoch_seconds"] = EPOCH / row["images_per_second"]
    own = {name: row for name, row in evidence["candidates"].items() if name.startswith("residua")}
    best = max(own, key=lambda name: own[name]["speedup"])
    return Result(
        ratio=own[best]["speedup"],
        spread=tuple(own[best]["speedup_10_90"]),
        limit_share=own[best]["limit_share"],
        evidence={
            "images": counted,
            "precision": "bfloat16" if bf16 else "float32",
            "workers": workers,
            "images_per_second_by_workers": rates,
            "compiling": compiling,
            "best": best,
            **evidence,
        },
        skipped=skipped,
    )


def table(evidence: Mapping[str, Any]) -> list[str]:
    """A row a loop, with the seconds of an epoch of 50,000 images with and without compiling."""
    lines = [
        f"{evidence['images']:,} images in batches of {BATCH}, {evidence['rounds']} rounds in turns; residua in "
        f"{evidence['precision']}; the conventional loop with {evidence['workers']} workers.",
        "",
        "| loop | images/s | ratio (10-90 %) | share of the limit | s, 50,000 images | first, cold | warm |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, row in evidence["candidates"].items():
        low, high = row["speedup_10_90"]
        extra = evidence["compiling"] if name == "residua compiled" else {}
        first = [f"{row['epoch_seconds'] + extra[word]:.0f}" if extra else "" for word in ("cold", "warm")]
        lines.append(
            f"| {name} | {row['images_per_second']:,.0f} | {row['speedup']:.2f} ({low:.2f}-{high:.2f}) "
            f"| {row['limit_share']:.0%} | {row['epoch_seconds']:.0f} | {' | '.join(first)} |"
        )
    if found := evidence["compiling"]:
        lines += [
            "",
            f"Compiling took {found['cold']:.1f} s, and {found['warm']:.1f} s with the code in the cache.",
        ]
    return lines


def made_up(count: int) -> Any:
    """``count`` training images of CIFAR's size and habits, and a few test images."""
    import numpy as np
    import torch

    from residua.data.arrays import array_data
    from residua.spec import DataSpec

    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (count + BATCH, 3, SIDE, SIDE), np.uint8)
    places = np.arange(count + BATCH)
    return array_data(
        DataSpec(val_fraction=0.0),
        classes=tuple(map(str, range(CLASSES))),
        images=torch.from_numpy(pixels),
        labels=places % CLASSES,
        train=places[:count],
        test=places[count:],
        test_is="the last ones",
        pad=4,
        flip=True,
    )


def residua_epoch(data: Any, *, compile: str) -> tuple[Callable[[], object], float]:
    """An epoch as ``fit`` runs it, the plan's choices but for compiling; and the seconds of the first step."""
    import torch

    from residua.loading import create_model
    from residua.train import Request, make_plan, recipe
    from residua.train.plan import applied
    from residua.train.prepare import task_for

    torch.manual_seed(0)
    paper = recipe("he2015-cifar", batch_size=BATCH)
    model = create_model("cifar_resnet20")
    plan = make_plan(Request(compile=compile), model, 1e10, 0)  # a step of 128 images is worth every core
    task = task_for(model, paper, data, plan)
    batches = data.train_batches(paper, seed=0, device=plan.device, memory_format=plan.memory_format)

    numbers = itertools.count()

    def run() -> None:
        with applied(plan):
            hits = torch.zeros((), dtype=torch.float64)
            for batch in batches.epoch(next(numbers)):
                hits += task.step(batch, 0.0)["accuracy"]
            float(hits)

    with applied(plan):
        batch = next(iter(batches.epoch(0)))
        began = time.perf_counter()
        task.step(batch, 0.0)
        first = time.perf_counter() - began
    return run, first
