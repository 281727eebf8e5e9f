"""Makes the files of this folder: what version 0.1 (schema 1) wrote, and what its ``evaluate --json`` said of it.

Run once, by the code of version 0.1 (the last commit before schema 2), with one thread:

    git worktree add old 10da239 && PYTHONPATH=old/src OMP_NUM_THREADS=1 python tests/runs/schema1/make.py

``release`` and ``release.json`` are of the release itself (``git worktree add old ffb9adc``), which had no digests yet,
and specs of fewer fields: ``residua train digits -m cifar_resnet20 --set model.depths=[1,1] --set model.widths=[8,8]
--set model.drop_path=0.2 --epochs 2 -b 32 --limit-batches 4 --threads 1 --device cpu --run-dir runs/release``, then
``residua evaluate runs/release --limit-batches 4 -b 128 --json`` and ``residua train --resume COPY --epochs 3 --json``.

Everything is as small as its family allows. The figures hold on any machine to rounding, the bits on none.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn

from residua import create_model, save_model
from residua.data import load_data
from residua.evaluation import inspect_run
from residua.spec import DataSpec
from residua.train import Interrupted, RunFolder, fit, resume
from residua.train.progress import Progress

FOLDER = Path(__file__).parent
HERE = Path("/tmp/residua-schema1")  # so that the files name no machine's own paths
TEXT = "text:text"  # the text that the package reads by default differs between versions of Python
STAGES = {"depths": [1, 1], "widths": [8, 8]}
PLANNED = {"device": "cpu", "precision": "float32", "threads": 1, "workers": 1, "compile": "off"}
SHORT = {"seed": 1, "limit_batches": 4, "recipe_changes": {"epochs": 2, "batch_size": 32, "log_every": 2}}

# run -> model, changes of its spec, data, recipe
RUNS = {
    "plain": ("cifar_plain20", STAGES, "digits", "quick"),
    "gated": (
        "cifar_preact_resnet20",
        STAGES | {"merge": "shortcut_only_gating", "gate_bias": -3.0, "shortcut": "B", "zero_init": True},
        "digits",
        "quick",
    ),
    "bottleneck": (
        "cifar_resnet164",
        STAGES | {"expansion": 2, "stride_on": "1x1", "shortcut": "A-split", "drop_path": 0.2},
        "digits",
        "digits",
    ),
    "resnext": (
        "resnext_tiny",
        STAGES | {"expansion": 2, "cardinality": 2, "path_width": 4},
        "digits",
        "quick",
    ),
    "wide": (
        "wrn_10_1",
        STAGES | {"dropout": 0.3, "drop_path": 0.1, "drop_path_mode": "batch"},
        "digits",
        "quick",
    ),
    "vit": ("vit_digits", {"layers": 1, "width": 8, "heads": 2, "dropout": 0.1}, "digits", "vit"),
    "densenet": (
        "densenet_tiny",
        {"depths": [2, 1], "growth_rate": 4, "width": 4, "dropout": 0.2},
        "digits",
        "quick",
    ),
    "resnest": ("resnest_tiny", STAGES | {"stem_width": 8, "expansion": 2}, "digits", "quick"),
    "language": ("transformer_tiny", {"layers": 1, "width": 8, "heads": 2, "context": 16}, TEXT, "language"),
}
INTERRUPTED = ("cifar_resnet20", STAGES | {"drop_path": 0.2}, "digits", "quick")
STOPPED_AT = 6  # of 8 steps: in the middle of the second epoch
INSPECTED = ("plain",)  # these also keep their best weights

GREY = {"in_channels": 1}
# family -> its tiny member, changes of its spec, data to measure it on (None: that takes another training)
WEIGHTS = {
    "resnet": ("cifar_resnet8", GREY | STAGES, "digits"),
    "resnext": ("resnext_tiny", GREY | STAGES, "digits"),
    "wide_resnet": ("wrn_10_1", GREY | STAGES, "digits"),
    "densenet": ("densenet_tiny", GREY | {"depths": [1, 1], "growth_rate": 4, "width": 8}, "digits"),
    "resnest": ("resnest_tiny", GREY | STAGES | {"stem_width": 8, "expansion": 2}, "digits"),
    "vgg": ("vgg_tiny", GREY | STAGES, "digits"),
    "googlenet": ("googlenet_tiny", GREY | {"stem_width": 8}, "digits"),
    "vit": ("vit_digits", {"layers": 1, "width": 8, "heads": 2}, "digits"),
    "ode": ("ode_tiny", {}, "digits"),
    "resnet3d": ("r3d_tiny", STAGES, "moving-digits"),
    "transformer": ("transformer_tiny", {"layers": 1, "width": 8, "heads": 2, "context": 16}, TEXT),
    "detector": (
        "detector_tiny",
        {"backbone": "googlenet_tiny", "levels": [2, 3], "width": 8, "tower": 1},
        "scenes:boxes",
    ),
    "segmenter": ("segmenter_tiny", {"width": 8}, "scenes:masks"),
    "sngan": ("sngan_tiny", {"generator": [8, 8, 8], "discriminator": [8, 8]}, None),
}
SAMPLES = {
    "resnet3d": [1, 4, 8, 8],
    "transformer": [16],
    "detector": [1, 16, 16],
    "segmenter": [1, 16, 16],
    "sngan": [8],
}
FIGURES = ("n", "top1", "top5", "nll", "ece", "primary", "figures")  # of what ``evaluate --json`` prints

EXTENDED = 3  # epochs that each run is extended to
TRAINED = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")  # of result.json


class Stop(Progress):
    """Asks the training to stop, as ``kill`` does."""

    def step(self, step: int) -> None:
        if step == STOPPED_AT:
            os.kill(os.getpid(), signal.SIGTERM)


def train(
    name: str, model: str, changes: dict, data: str, recipe: str, progress: bool | Progress = False
) -> None:
    run = fit(
        model,
        DataSpec(source=data, context=changes.get("context", 128)),
        recipe,
        model_changes=changes,
        run_dir=Path("runs", name),
        progress=progress,
        **PLANNED,
        **SHORT,
    )
    if name in INSPECTED:
        inspect_run(run)


def write_texts(folder: Path) -> None:
    """A language that is easily learned, in enough files for three parts."""
    folder.mkdir()
    for i in range(12):
        lines = (f"{i} times {j} is {i * j}.\n" for j in range(40))
        (folder / f"{i:02d}.txt").write_text("".join(lines), encoding="utf-8")


def evaluated(source: str, data: str | None, limit: int, batch: int) -> dict:
    """What ``residua evaluate --json`` prints, without what is long or differs each time, and what it was asked."""
    words = [
        source,
        *([] if data is None else ["--data", data]),
        "--limit-batches",
        str(limit),
        "-b",
        str(batch),
    ]
    said = subprocess.run(
        [sys.executable, "-m", "residua", "evaluate", *words, "--device", "cpu", "--json"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found = {key: value for key, value in json.loads(said).items() if key in FIGURES}
    return {"data": data, "limit": limit, "batch": batch, "found": found}


def outputs(model: nn.Module, sample: tuple[int, ...]) -> list[float]:
    """The first numbers that a network gives for a sample that every machine can make."""
    size = math.prod(sample)
    tokens = torch.arange(size).reshape(1, *sample) % 7
    given = model.eval()(
        tokens if len(sample) == 1 and model.spec.family == "transformer" else (tokens - 3) / 3
    )
    return torch.cat([part.flatten() for part in flat(given)])[:12].tolist()


def flat(given: Any) -> list[torch.Tensor]:
    """The tensors of nested tuples and lists."""
    return [given] if isinstance(given, torch.Tensor) else [tensor for part in given for tensor in flat(part)]


def extended(name: str, data: str) -> dict:
    """What a copy of a run ends at when it goes on for an epoch more."""
    with tempfile.TemporaryDirectory() as folder:
        run = shutil.copytree(HERE / "runs" / name, Path(folder) / name)
        return ended(resume(run, epochs=EXTENDED, data=data, progress=False))


def ended(run: RunFolder) -> dict:
    """The figures of a complete run."""
    return {key: run.result[key] for key in TRAINED}


def main() -> None:
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    os.chdir(HERE)
    write_texts(Path("text"))
    for folder in ("runs", "weights"):
        Path(folder).mkdir()
    for name, run in RUNS.items():
        train(name, *run)
    train("uninterrupted", *INTERRUPTED)
    with suppress(Interrupted):
        train("interrupted", *INTERRUPTED, progress=Stop())
    given = {}
    digits = load_data(DataSpec(source="digits")).about()
    for family, (model, changes, data) in WEIGHTS.items():
        torch.manual_seed(0)
        network, file = create_model(model, **changes), HERE / "weights" / f"{family}.safetensors"
        save_model(file, network, digits if data == "digits" else None)
        given[family] = {"sample": SAMPLES.get(family, [1, 8, 8])}
        given[family]["outputs"] = outputs(network, given[family]["sample"])
    measured = {
        f"runs/{name}": evaluated(f"runs/{name}", TEXT if name == "language" else None, limit=4, batch=128)
        for name in (*RUNS, "interrupted")
    }
    for family, (*_, data) in WEIGHTS.items():
        if data is not None:
            measured[f"weights/{family}.safetensors"] = evaluated(
                f"weights/{family}.safetensors", data, limit=1, batch=8
            )
    ends = {name: extended(name, RUNS[name][2]) for name in RUNS} | {
        "interrupted": ended(RunFolder("runs/uninterrupted"))
    }
    shutil.rmtree("runs/uninterrupted")
    Path("runs/latest").unlink()
    for run in Path("runs").iterdir():
        shutil.rmtree(run / "tensorboard", ignore_errors=True)
        if run.name not in INSPECTED:  # the others do without, as a run without validation does
            (run / "checkpoints" / "best.safetensors").unlink(missing_ok=True)
    tables = {"evaluated": measured, "outputs": given, "ends": ends}
    Path("figures.json").write_text(json.dumps(tables, indent=1) + "\n", encoding="utf-8")
    for path in HERE.iterdir():
        old = FOLDER / path.name
        if old.is_dir():
            shutil.rmtree(old)
        shutil.move(path, old)
    shutil.rmtree(HERE)


if __name__ == "__main__":
    main()
