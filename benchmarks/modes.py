"""Every mode of computing beside eager float32, over seeds: ``python -m benchmarks.modes`` makes ``results/modes.md``.

The default job (the digits) is trained in each mode with the same seeds; what a mode changes of the test accuracy is
set against how far seeds differ. A precision that the processor only emulates is computed all the same: it is slow
here, and as exact as elsewhere.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.harness import RESULTS, where
from residua.files import write_json, write_text
from residua.machine import compiler, describe_machine
from residua.train import fit

BASELINE = "float32, eager, contiguous"
MODES: dict[str, dict[str, Any]] = {
    BASELINE: {"precision": "float32", "compile": "off", "channels_last": False},
    "float32, eager, channels_last": {"precision": "float32", "compile": "off"},
    "float32, compiled": {"precision": "float32", "compile": "on"},
    "bfloat16, eager": {"precision": "bfloat16", "compile": "off"},
    "bfloat16, compiled": {"precision": "bfloat16", "compile": "on"},
}


def main() -> None:
    """Train, and write the evidence and the page made from it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=None, help="by default the recipe's")
    asked = parser.parse_args()
    modes = {n: m for n, m in MODES.items() if m["compile"] == "off" or compiler().problem is None}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in modes}
    about: dict[str, str] = {}
    changes = {} if asked.epochs is None else {"epochs": asked.epochs}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(asked.seeds):
            for number, (name, mode) in enumerate(modes.items()):
                print(f"modes: {name}, seed {seed}", file=sys.stderr, flush=True)
                place = Path(folder) / f"{number}-{seed}"
                run = fit(
                    None,
                    "digits",
                    seed=seed,
                    run_dir=place,
                    progress=False,
                    recipe_changes=changes,
                    track="none",
                    **mode,
                )
                kept = ("test_accuracy", "test_loss", "seconds")
                result = run.result or {}
                found[name].append({key: result[key] for key in kept})
                about = {"model": run.spec.name, "recipe": run.recipe.name}
    evidence = {
        "schema": 1,
        "command": f"python -m benchmarks.modes {' '.join(sys.argv[1:])}".strip(),
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe_machine(),
        **about,
        "modes": found,
    }
    write_json(RESULTS / "modes.json", evidence)
    write_text(RESULTS / "modes.md", table(evidence))


def table(evidence: dict[str, Any]) -> str:
    """The Markdown page."""
    modes = evidence["modes"]
    eager = [run["test_accuracy"] for run in modes[BASELINE]]
    noise = statistics.stdev(eager)
    lines = [
        "# Every mode beside eager float32",
        "",
        f"`{evidence['command']}`, {evidence['date']}, {where(evidence['machine'])}.",
        "",
        f"{evidence['model']} on the digits, recipe {evidence['recipe']}, seeds 0 to {len(eager) - 1}, the same in "
        f"every mode. Between seeds the accuracy of *{BASELINE}* has a standard deviation of {100 * noise:.2f} points.",
        "",
        "| mode | test accuracy, % | beside the baseline, points | test loss | seconds |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, runs in modes.items():
        accuracies = [100 * run["test_accuracy"] for run in runs]
        difference = statistics.mean(accuracies) - 100 * statistics.mean(eager)
        loss = statistics.mean(run["test_loss"] for run in runs)
        seconds = statistics.median(run["seconds"] for run in runs)
        mean, sd = statistics.mean(accuracies), statistics.stdev(accuracies)
        lines.append(f"| {name} | {mean:.2f} ± {sd:.2f} | {difference:+.2f} | {loss:.4f} | {seconds:.1f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
