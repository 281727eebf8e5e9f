"""The training step of two checkouts of residua, in turns: whether a change of the code has cost speed.

Two versions cannot be imported into one process: each steps in a process of its own, which waits until it is asked.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.harness import Case, measure, measure_peaks, store
from residua.analysis.cost import cost
from residua.loading import create_model

NOTES = (
    "Each version runs `residua_step` of its own `benchmarks/train_step.py`, eager, in the precision that its plan "
    "chooses, on the same images."
)
STEPPER = """
import sys, torch
from benchmarks.train_step import residua_step
from residua.loading import create_model
from residua.train import Request, make_plan
name, batch, side = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.manual_seed(0)
images, labels = torch.randn(batch, 3, side, side), torch.randint(0, 10, (batch,))
model = create_model(name, num_classes=10)
plan = make_plan(Request(compile="off", threads=torch.get_num_threads()), model, 0.0, 0)
step = residua_step(model, plan, images, labels)
for _ in sys.stdin:
    step()
    print(flush=True)
"""
NETWORKS = {"cifar_resnet20": (128, 32), "resnet50": (4, 224)}  # images a step, pixels


def stepper(tree: Path, name: str, batch: int, side: int) -> Callable[[], object]:
    """A function that has the code of a checkout take one step."""
    process = subprocess.Popen(
        [sys.executable, "-c", STEPPER, name, str(batch), str(side)],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tree / "src"), str(tree)])},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin and process.stdout
    to, back = process.stdin, process.stdout

    def step() -> None:
        print(file=to, flush=True)
        if not back.readline():
            raise SystemExit(f"the process of {tree} has ended")

    return step


def main() -> None:
    """Let both versions step in turns and store the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path, help="a checkout of the version before")
    parser.add_argument("after", type=Path, nargs="?", default=Path(), help="a checkout; by default this one")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each turn, about")
    arguments = parser.parse_args()
    trees = {key: getattr(arguments, key).resolve() for key in ("before", "after")}
    commits = {
        key: subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], cwd=tree, text=True).strip()
        for key, tree in trees.items()
    }
    sys.argv[1:] = [
        commits[key] for key in trees
    ]  # what the page calls the command: paths mean nothing there
    peaks = measure_peaks()
    cases = [
        Case(
            name=f"{name}, batch {batch}, {side} px",
            items=batch,
            flops=6 * cost(create_model(name), (3, side, side)).multiply_adds,  # backward costs two forwards
            candidates={
                f"{key} ({commits[key]})": stepper(tree, name, batch, side) for key, tree in trees.items()
            },
            baseline=f"before ({commits['before']})",
        )
        for name, (batch, side) in NETWORKS.items()
    ]
    measured = [
        measure(case, rounds=arguments.rounds, min_seconds=arguments.seconds, peaks=peaks) for case in cases
    ]
    store("versions", "The training step before and after", measured, peaks, NOTES)


if __name__ == "__main__":
    main()
