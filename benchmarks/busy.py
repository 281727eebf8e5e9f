"""A training beside another busy process: how long OpenMP's threads spin decides (GOMP_SPINCOUNT; residua sets 10000).

Each candidate is a whole ``residua train`` in a process of its own; the seconds are those that it reports.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.harness import RESULTS, where
from residua.files import write_json, write_text
from residua.machine import describe_machine

SETTINGS = {"OpenMP's default": {"OMP_WAIT_POLICY": ""}, "residua (GOMP_SPINCOUNT=10000)": {}}
SPIN = "while True: pass"
STEPS = 40


def train(environment: dict[str, str], data: str, folder: Path) -> float:
    """Seconds of one training of ResNet-20 on ``STEPS`` batches of 64."""
    command = [sys.executable, "-m", "residua", "train", data, "--model", "cifar_resnet20", "--epochs", "1"]
    command += ["--limit-batches", str(STEPS), "--run-dir", str(folder), "--overwrite", "--json"]
    clean = {
        k: v
        for k, v in os.environ.items()
        if k not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS")
    }
    done = subprocess.run(
        command, env=clean | environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    return float(json.loads(done.stdout)["seconds"])


def main() -> None:
    """Alternate the settings, alone and beside a busy process, and store the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", help="a path to CIFAR-10, or to a part of it")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    seconds: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.rounds):
            for neighbours in (0, 1):
                busy = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(neighbours)]
                for name, environment in SETTINGS.items():
                    row = seconds.setdefault(f"{neighbours} busy neighbours", {}).setdefault(name, [])
                    row.append(train(environment, arguments.data, Path(folder) / "run"))
                for process in busy:
                    process.kill()
                    process.wait()
    evidence = {
        "schema": 1,
        "command": "python -m benchmarks.busy PATH",
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe_machine(),
        "seconds": seconds,
    }
    write_json(RESULTS / "busy.json", evidence)
    write_text(RESULTS / "busy.md", table(evidence))


def table(evidence: dict[str, Any]) -> str:
    """The Markdown page."""
    lines = [
        "# Training beside a busy process",
        "",
        f"`{evidence['command']}`, {evidence['date']}, {where(evidence['machine'])}. Seconds of {STEPS} steps of "
        "ResNet-20 with their validation: median (least-most) of the rounds.",
        "",
        "| | " + " | ".join(SETTINGS) + " |",
        "|---|" + "---:|" * len(SETTINGS),
    ]
    for situation, rows in evidence["seconds"].items():
        cells = [f"{statistics.median(row):.1f} ({min(row):.1f}-{max(row):.1f})" for row in rows.values()]
        lines.append(f"| {situation} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
