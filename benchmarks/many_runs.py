"""Many small trainings on one machine.

Twice as many trainings as cores of one small network, each with its own seed, batch and optimiser; a round is a step of
each, the steps as `fit` runs them. In turns: one after another with all cores; one after another with one core; a
process a core of one thread, each pinned to a core or not; a process a core that all have all threads; and all networks
stacked in one process (`torch.func`: `functional_call` under `vmap`, fused SGD on the stacked weights). *ratio*: a
process a core, which `reproduce` and `compare` take on a CPU, against one after another with all cores. *share of the
limit*: against as many times one core.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from benchmarks.front_door import Result
from benchmarks.steppers import serve, steppers
from residua.machine import usable_cores
from residua.timing import compare, spread

CASES = (("cifar_resnet8", 64, 8, 1), ("cifar_resnet20", 128, 32, 3))  # network, batch, pixels, channels


def options(parser: argparse.ArgumentParser) -> None:
    """Rounds, and how long a turn lasts."""
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn, about")


def measure(asked: argparse.Namespace) -> Result:
    """Time the ways in turns, case by case."""
    cores = usable_cores()
    cases = CASES[:1] if asked.quick else CASES
    rounds, seconds = (3, 0.3) if asked.quick else (asked.rounds, asked.seconds)
    found = [_measured(case, cores, rounds, seconds) for case in cases]
    first = found[0]
    return Result(
        ratio=first["ways"][PINNED]["speedup"],
        spread=tuple(first["ways"][PINNED]["speedup_10_90"]),
        limit_share=first["limit_share"],
        evidence={"cores": cores, "cases": found},
    )


ALL, ONE = "one after another, all cores", "one after another, one core"
PINNED, FREE = "a process a core, pinned", "a process a core"
CROWDED, STACKED = "a process a core, each with all threads", "stacked in one process, all cores"


def _measured(case: tuple[str, int, int, int], cores: int, rounds: int, seconds: float) -> dict[str, Any]:
    models = 2 * cores
    ways = {  # processes, threads of each, models of each, pinned
        ALL: (1, cores, models, False),
        ONE: (1, 1, models, False),
        PINNED: (cores, 1, 2, True),
        FREE: (cores, 1, 2, False),
        CROWDED: (cores, cores, 2, False),
        STACKED: (1, cores, models, False),
    }
    with ExitStack() as stack:
        started = {}
        for name, (count, threads, each, pinned) in ways.items():
            arguments = ("stacked" if name == STACKED else "apart", threads, each, *case)
            places = [{"BENCHMARK_CORE": str(core) if pinned else ""} for core in range(count)]
            started[name] = stack.enter_context(steppers(__spec__.name, arguments, places))
        timed = compare(
            {name: steps.step for name, steps in started.items()},
            rounds=rounds,
            warmup=2,
            min_seconds=seconds,
            baseline=ALL,
        )
    rows = timed.to_dict()["candidates"]
    network, batch, side, channels = case
    for row in rows.values():
        row["images_per_second"] = models * batch / row["median_seconds"]
    pairs = zip(timed.timings[ONE].seconds, timed.timings[PINNED].seconds, strict=True)
    return {
        "network": network,
        "batch": batch,
        "pixels": side,
        "channels": channels,
        "models": models,
        "ways": rows,
        "limit_share": spread([one / (cores * own) for one, own in pairs], 0.1).median,
    }


def table(evidence: Mapping[str, Any]) -> Sequence[str]:
    """A table a case."""
    lines: list[str] = []
    for case in evidence["cases"]:
        lines += [
            f"{case['models']} trainings of {case['network']}, batch {case['batch']}, {case['pixels']} px:",
            "",
            "| way | images/s, all trainings | ratio (10-90 % of the rounds) |",
            "|---|---:|---:|",
        ]
        for name, row in case["ways"].items():
            low, high = row["speedup_10_90"]
            rate = f"{row['images_per_second']:,.0f}"
            lines.append(f"| {name} | {rate} | {row['speedup']:.2f} ({low:.2f}-{high:.2f}) |")
        lines.append("")
    return lines[:-1]


def main() -> None:
    """A process of the benchmark: it steps whenever it is asked."""
    import torch

    way, *numbers = sys.argv[1:4]
    threads, models = map(int, numbers)
    network, batch, side, channels = sys.argv[4], *map(int, sys.argv[5:8])
    if core := os.environ["BENCHMARK_CORE"]:
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[int(core)]})
    torch.set_num_threads(threads)
    make = _stacked if way == "stacked" else _apart
    serve(step=make(network, models, (batch, channels, side, side)))


def _apart(network: str, models: int, shape: tuple[int, ...]) -> Callable[[], None]:
    """A step of each network, by itself."""
    import torch

    from residua.data import load_data
    from residua.loading import create_model
    from residua.train import Request, make_plan, recipe
    from residua.train.task import make_task

    data, tasks = load_data("digits"), []
    for seed in range(models):
        torch.manual_seed(seed)
        model = create_model(network, in_channels=shape[1])
        plan = make_plan(Request(compile="off", threads=torch.get_num_threads()), model, 0.0, 0)
        task = make_task(model.to(memory_format=plan.memory_format), recipe("quick", lr=0.01), plan, data)  # type: ignore[call-overload]
        images = torch.randn(*shape).contiguous(memory_format=plan.memory_format)
        tasks.append((task, (images, torch.randint(0, 10, shape[:1]))))

    def step() -> None:
        for task, batch in tasks:
            task.step(batch, 0.0)

    return step


def _stacked(network: str, models: int, shape: tuple[int, ...]) -> Callable[[], None]:
    """A step of all networks at once: their weights are stacked, and so are their batches."""
    import torch
    import torch.nn.functional as F
    from torch.func import functional_call, grad_and_value, stack_module_state, vmap

    from residua.loading import create_model

    networks = []
    for seed in range(models):
        torch.manual_seed(seed)
        networks.append(create_model(network, in_channels=shape[1]).train())
    parameters, buffers = stack_module_state(networks)
    leaves = list(parameters.values())
    optimizer = torch.optim.SGD(leaves, lr=0.01, momentum=0.9, weight_decay=1e-4, fused=True)
    images, labels = torch.randn(models, *shape), torch.randint(0, 10, (models, shape[0]))

    def loss(own: Any, kept: Any, pixels: Any, classes: Any) -> Any:
        return F.cross_entropy(functional_call(networks[0], (own, kept), (pixels,)), classes)

    descend = vmap(grad_and_value(loss), randomness="different")

    def step() -> None:
        gradients, _ = descend(parameters, buffers, images, labels)
        for name, leaf in parameters.items():
            leaf.grad = gradients[name]
        optimizer.step()

    return step


if __name__ == "__main__":
    main()
