"""Memory and time of a training step by depth, with and without ``--memory low``.

ResNets of CIFAR (option A), residua's own eager step on images of 32 px, the same plan in both but for its memory. The
peak is what the operating system saw of a process that trains nothing else (on a GPU: what torch had allocated), a step
of the whole batch after one of two images; *of the step* is what it adds to what the process held before. Times are
medians of steps in turns. The ratio is the speed of the deepest network with little memory over that without; its
limit is 3/4, for a step of three forward passes' work takes four. The lines are fitted by least squares to seconds an
image by depth.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.front_door import Result
from residua.errors import ResiduaError
from residua.machine import usable_cores
from residua.machine.limits import memory
from residua.machine.peak import forget_peak, held, peak
from residua.timing import compare

DEPTHS = (20, 56, 110, 272, 560, 1202)
MODES = ("full", "low")
_LIMIT = 3 / 4
_ROOM = 0.9  # of the memory that is free, which a step may be expected to take


def options(parser: argparse.ArgumentParser) -> None:
    """Depths, batch and rounds."""
    parser.add_argument("--depths", type=int, nargs="+", default=DEPTHS, help="6n + 2 each")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)


def measure(asked: argparse.Namespace) -> Result:
    """A row a depth; what would not fit in the memory that is free is left out."""
    depths, batch = ((20, 38, 56), 16) if asked.quick else (asked.depths, asked.batch)
    rows: list[dict[str, Any]] = []
    skipped: list[str] = []
    for depth in depths:
        modes, free = MODES, memory()[1]
        needed = rows[-1]["full"]["peak"] * depth / rows[-1]["depth"] if rows and "full" in rows[-1] else 0
        if free is not None and needed > _ROOM * free:
            modes = ("low",)
            skipped.append(f"depth {depth} without --memory low: {_gb(needed)} expected, {_gb(free)} free")
        row = {"depth": depth, **{mode: _peak_of_child(depth, mode, batch) for mode in modes}}
        timed = compare(
            {mode: _step(*_task(depth, mode), batch) for mode in modes}, rounds=asked.rounds, min_seconds=0
        )
        for mode in modes:
            row[mode]["seconds"] = timed.median(mode)
        if len(modes) > 1:
            speed = timed.speedup("low")
            row["speed_of_low"] = [speed.median, speed.low, speed.high]
        print(row, file=sys.stderr)
        rows.append(row)
    both = [row["speed_of_low"] for row in rows if "speed_of_low" in row]
    ratio, *spread = both[-1] if both else (None,)
    return Result(
        ratio=ratio,
        spread=(spread[0], spread[1]) if spread else None,
        limit_share=None if ratio is None else ratio / _LIMIT,
        evidence={"batch": batch, "rows": rows, "fits": {mode: _fit(rows, mode, batch) for mode in MODES}},
        skipped=skipped,
    )


def table(evidence: Mapping[str, Any]) -> Sequence[str]:
    """A row a depth, and the lines."""
    lines = [
        f"A batch of {evidence['batch']}.",
        "",
        "| depth | peak | of the step | low: peak | of the step | part | seconds | low: seconds | times |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in evidence["rows"]:
        low, full = row["low"], row.get("full")
        cells = [_gb(full["peak"]), _gb(full["of_step"])] if full else ["", ""]
        cells += [_gb(low["peak"]), _gb(low["of_step"]), f"{low['peak'] / full['peak']:.0%}" if full else ""]
        cells += [f"{full['seconds']:.2f}" if full else "", f"{low['seconds']:.2f}"]
        cells += [f"{1 / row['speed_of_low'][0]:.2f}" if full else ""]
        lines.append(f"| {row['depth']} | {' | '.join(cells)} |")
    lines.append("")
    for mode, fit in evidence["fits"].items():
        if fit is not None:
            lines.append(
                f"- `--memory {mode}`: {1e3 * fit['at_zero']:.2f} ms + {1e6 * fit['a_layer']:.1f} us a layer an image; "
                f"R2 {fit['r2']:.5f}, no depth farther off than {fit['worst']:.1%}"
            )
    return lines


def _peak_of_child(depth: int, mode: str, batch: int) -> dict[str, Any]:
    """What a process of its own held at most, and what of it the step added."""
    command = [sys.executable, "-m", "benchmarks.depth", str(depth), mode, str(batch)]
    root = Path(__file__).parents[1]
    ran = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(ran.stdout)


def child(depth: int, mode: str, batch: int) -> None:
    """Take a step, and print the peak."""
    task, plan = _task(depth, mode)
    _step(task, plan, 2)()  # momentum, and what libraries keep
    before = held(plan.device)
    forget_peak(plan.device)
    _step(task, plan, batch)()
    most = peak(plan.device)
    if before is None or most is None:
        raise ResiduaError("this system does not say how much memory a process holds")
    print(json.dumps({"peak": most, "of_step": most - before}))


def _task(depth: int, mode: str) -> tuple[Any, Any]:
    """A network's task, and its plan."""
    import torch

    from residua.data import load_data
    from residua.loading import create_model
    from residua.nn import place
    from residua.train import Request, make_plan, recipe
    from residua.train.task import make_task

    network = create_model(f"cifar_resnet{depth}")
    plan = make_plan(Request(compile="off", threads=usable_cores(), memory=mode), network, 0.0, 0)
    torch.set_num_threads(plan.threads)
    network = place(network, plan.device, plan.memory_format)
    return make_task(network, recipe("quick", lr=0.01), plan, load_data("digits")), plan


def _step(task: Any, plan: Any, batch: int) -> Callable[[], object]:
    """A training step on images of noise."""
    import torch

    images = torch.randn(batch, 3, 32, 32, device=plan.device).contiguous(memory_format=plan.memory_format)
    labels = torch.randint(10, (batch,), device=plan.device)
    return lambda: float(task.step((images, labels), 0.0)["loss"])


def _fit(rows: Sequence[Mapping[str, Any]], mode: str, batch: int) -> dict[str, float] | None:
    """The line of seconds an image by depth, and how near to it the depths are; None of fewer than three."""
    points = [(row["depth"], row[mode]["seconds"] / batch) for row in rows if mode in row]
    if len(points) < 3:
        return None
    depths, seconds = np.array(points).T
    a_layer, at_zero = np.polyfit(depths, seconds, 1)
    off = at_zero + a_layer * depths - seconds
    return {
        "at_zero": float(at_zero),
        "a_layer": float(a_layer),
        "r2": float(1 - (off**2).sum() / ((seconds - seconds.mean()) ** 2).sum()),
        "worst": float(np.abs(off / seconds).max()),
    }


def _gb(count: float) -> str:
    return f"{count / 1e9:.2f} GB"


if __name__ == "__main__":
    child(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
