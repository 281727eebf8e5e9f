"""Accuracies that the README shows: each run is one ``residua train`` whose result is committed; a grid goes on there.

python -m benchmarks.accuracy                        the digits: three seeds, and the five folds
python -m benchmarks.accuracy --cifar10-head PATH    also CIFAR ResNet-20 on a part of CIFAR-10
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import RESULTS, where
from residua.files import read_json, write_json, write_text
from residua.machine import describe_machine

FOLDER = RESULTS / "accuracy"


@dataclass(frozen=True)
class Grid:
    """Runs that are averaged: ``residua train`` with these arguments; ``{data}`` and ``{n}`` are filled in."""

    name: str
    title: str
    arguments: tuple[str, ...]
    numbers: tuple[int, ...]
    needs: str = ""  # the option that gives the path of its data


GRIDS = (
    Grid("digits", "digits, the shipped test split, seeds 0-2", ("--seed", "{n}"), (0, 1, 2)),
    Grid("digits_folds", "digits, 5-fold, seed 0", ("digits:fold={n}",), (0, 1, 2, 3, 4)),
    Grid(
        "cifar10_head",
        "first 1,017 images of each CIFAR-10 file, ResNet-20, 20 epochs, seeds 0-2",
        ("{data}", "--model", "cifar_resnet20", "--epochs", "20", "--seed", "{n}"),
        (0, 1, 2),
        needs="cifar10-head",
    ),
)


def run(grid: Grid, number: int, data: str, results: Path = FOLDER) -> dict[str, Any]:
    """One run of a grid: its committed result, or a new training whose result is then stored under ``results``.

    Raises subprocess.CalledProcessError where the training fails.
    """
    stored = results / grid.name / str(number)
    if (stored / "result.json").exists():
        return read_json(stored / "result.json")
    folder = Path("runs") / results.name / grid.name / str(number)
    arguments = [part.format(n=number, data=data) for part in grid.arguments]
    command = [
        sys.executable,
        "-m",
        "residua",
        "train",
        *arguments,
        "--run-dir",
        str(folder),
        "--overwrite",
        "--json",
    ]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    stored.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / "metrics.jsonl", stored)
    shutil.copy(folder / "plan.json", stored)
    shown = [
        part.format(n=number, data="PATH") for part in grid.arguments
    ]  # no path of this machine in evidence
    result = {
        **json.loads(done.stdout),
        "command": " ".join(["residua train", *shown]),
        "machine": describe_machine(),
    }
    write_json(stored / "result.json", result)
    return result


def table(results: dict[str, list[dict[str, Any]]]) -> str:
    """The Markdown page of the results."""
    first = next(iter(results.values()))[0]
    machine = first["machine"]
    lines = [
        "# Accuracies",
        "",
        "Each run is one command, `residua train ...` with every default but those shown; test images are read once, "
        "at the end. Spread: standard deviation over the runs. Seconds: of training, median.",
        f"{where(machine)}.",
        "",
        "| runs | command | parameters | test accuracy, mean | spread | each | seconds |",
        "|---|---|---:|---:|---:|---|---:|",
    ]
    for grid in GRIDS:
        rows = results.get(grid.name)
        if not rows:
            continue
        accuracies = [100 * row["test_accuracy"] for row in rows]
        spread = statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0
        command = " ".join(["residua train", *grid.arguments]).replace("{data}", "PATH").replace("{n}", "N")
        lines.append(
            f"| {grid.title} | `{command}` | {rows[0]['parameters']:,} | {statistics.mean(accuracies):.2f} % "
            f"| {spread:.2f} | {', '.join(f'{a:.2f}' for a in accuracies)} "
            f"| {statistics.median(row['seconds'] for row in rows):.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run what is missing, and make the table of all that is stored."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for grid in GRIDS:
        if grid.needs:
            parser.add_argument(f"--{grid.needs}", metavar="PATH", default="")
    paths = vars(parser.parse_args())
    results: dict[str, list[dict[str, Any]]] = {}
    for grid in GRIDS:
        data = paths.get(grid.needs.replace("-", "_"), "")
        numbers = grid.numbers if data or not grid.needs else _stored(grid)
        results[grid.name] = [run(grid, number, data) for number in numbers]
        write_text(RESULTS / "accuracy.md", table(results))


def _stored(grid: Grid) -> tuple[int, ...]:
    return tuple(n for n in grid.numbers if (FOLDER / grid.name / str(n) / "result.json").exists())


if __name__ == "__main__":
    main()
