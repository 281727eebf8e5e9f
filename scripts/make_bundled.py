"""Make the network that comes with the package from a finished run: python scripts/make_bundled.py RUN

The run is one of `residua train IMAGES --model cifar_resnet20`, on a folder with JPEG copies of the 60,000 images of
CIFAR-10 in train/CLASS and test/CLASS. What is wrong with it is said before anything is written: it is not complete, it
is of other images, its file gives another accuracy on the test images than it states. Then the weight file goes into
the package, and what the run says of itself to benchmarks/results/bundled.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from residua.evaluation import Evaluation, evaluate
from residua.files import read_json, write_json, write_text
from residua.loading import load_model, load_weights
from residua.registry import model_spec
from residua.runs import layout
from residua.runs.folder import RunFolder
from residua.weights.bundled import FILE, NETWORK
from residua.weights.model_files import save_model

EVIDENCE = Path(__file__).resolve().parents[1] / "benchmarks" / "results" / "bundled"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TRAINED_ON, TESTED_ON = 50_000, 10_000  # images; the validation part is of the first
LARGEST = 2_000_000  # bytes that the package spends on it
_PATH = re.compile(r"(?<![\w.])/[\w./-]+")  # an absolute one


def problems(run: RunFolder) -> Iterator[str]:
    """Why a run cannot become the network of the package."""
    data = run.data
    counts = data["counts"]
    if run.result is None:
        yield "it is not complete"
    if run.spec != model_spec(NETWORK):
        yield f"its network is {run.spec.name}, not {NETWORK} as it is by default"
    if tuple(data["classes"]) != CLASSES:
        yield f"its classes are not those of CIFAR-10: {', '.join(data['classes'][:10])}"
    if (counts["train"] + counts.get("val", 0), counts["test"]) != (TRAINED_ON, TESTED_ON):
        yield f"it knows {counts}, not {TRAINED_ON} images to train on and {TESTED_ON} to test on"
    if data["skipped"]:
        yield f"{len(data['skipped'])} of its images could not be read"


def make(run: RunFolder, target: Path = FILE, evidence: Path = EVIDENCE) -> str:
    """Write the weight file and the evidence; returns what is said of them. Ends with a line if the run is not it."""
    if wrong := list(problems(run)):
        raise SystemExit(f"{run.path}: {'; '.join(wrong)}")
    assert run.result is not None
    stated, weights = run.result["test_accuracy"], load_weights(run.path)
    note = (
        f"trained on lossy JPEG copies of CIFAR-10's training images; {stated:.2%} of {TESTED_ON:,} JPEG copies of its "
        "test images, which is comparable with no published figure"
    )
    known = {key: weights.data[key] for key in ("kind", "classes", "shape", "mean", "std")} | {
        "notes": [note]
    }
    with TemporaryDirectory() as folder:
        trial = Path(folder, target.name)
        save_model(trial, load_model(run.path), known)
        found = evaluate(trial, run.data_spec)
        assert isinstance(found, Evaluation)  # of the one file
        size, measured = trial.stat().st_size, found.top1
    if abs(measured - stated) > 0.5 / TESTED_ON or size > LARGEST:
        raise SystemExit(f"{run.path}: {size:,} bytes; it states {stated:.4f}, its file gives {measured:.4f}")
    save_model(target, load_model(run.path), known)
    evidence.mkdir(parents=True, exist_ok=True)
    for name in (layout.RESULT, layout.RECIPE, layout.PLAN, layout.DATA, layout.ENV):
        write_json(evidence / name, _anywhere(read_json(run.path / name)))
    write_text(evidence / layout.METRICS, (run.path / layout.METRICS).read_text(encoding="utf-8"))
    return f"{target.name}: {size:,} bytes, {measured:.2%} of {TESTED_ON:,} test images"


def _anywhere(table: dict[str, Any]) -> dict[str, Any]:
    """A table of a run without the paths of the machine that it was made on."""
    kept = {key: value for key, value in table.items() if key not in ("path", "run_dir", "report")}
    return json.loads(_PATH.sub("PATH", json.dumps(kept)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, metavar="RUN")
    print(make(RunFolder(parser.parse_args().run)))
