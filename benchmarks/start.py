"""From the command to the first step.

Seconds from the start of `residua train` in a new process until the first step is in `metrics.jsonl`: on the bundled
digits, on files of CIFAR's size and layout, and on a folder of JPEG photographs (both made up), eager; and compiled,
with an empty cache and again with what the first run has left there. The limit is a process that only imports torch.
The ratio is of the two compiled starts: by how much the kept code shortens the second.
"""

from __future__ import annotations

import argparse
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.front_door import Result

_POLL, _PATIENCE = 0.005, 900.0  # seconds between looks at the log, and until the wait is given up
DIGITS, CIFAR, FOLDER = "digits", "CIFAR", "folder"
_IMPORT = "import torch"


def options(parser: argparse.ArgumentParser) -> None:
    """How thoroughly."""
    parser.add_argument(
        "--rounds", type=int, default=5, help="starts of each kind; those with an empty cache: 1"
    )
    parser.add_argument("--no-compile", action="store_true", help="leave out what is compiled")


def measure(asked: argparse.Namespace) -> Result:
    """Start again and again, kinds in turns."""
    from residua.machine import compiler
    from residua.timing import spread

    rounds, compile, skipped = (2 if asked.quick else asked.rounds), not asked.no_compile, []
    if compile and (problem := compiler().problem):
        compile = False
        skipped.append(f"what is compiled: the C++ compiler: {problem}.")
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="residua-start-") as name:
        place = Path(name)
        kinds = commands(place, images=1_000 if asked.quick else 50_000, photos=20 if asked.quick else 200)
        for number in range(rounds):
            seconds.setdefault(_IMPORT, []).append(_imported())
            for kind, command in kinds.items():
                print(f"start: {kind}, {number + 1} of {rounds}", file=sys.stderr, flush=True)
                words = {"eager": "off", "compiled": "on"} if compile and kind == CIFAR else {"eager": "off"}
                for word, choice in words.items():
                    run = place / "runs" / f"{kind}-{word}-{number}"
                    code = place / "cache"
                    label = f"{kind}, {word}"
                    if word == "compiled":
                        label += ", code kept" if number else ", first"
                    took = first_step([*command, "--compile", choice, "--run-dir", str(run)], run, code)
                    seconds.setdefault(label, []).append(took)
    rows = {
        name: {"seconds": taken, "median_seconds": spread(taken, 0.1).median}
        for name, taken in seconds.items()
    }
    eager = rows[f"{DIGITS}, eager"]["median_seconds"]
    ratio = between = None
    if compile:
        cold = seconds[f"{CIFAR}, compiled, first"][0]
        found = spread([cold / warm for warm in seconds[f"{CIFAR}, compiled, code kept"]], 0.1)
        ratio, between = found.median, (found.low, found.high)
    return Result(
        ratio=ratio,
        spread=between,
        limit_share=rows[_IMPORT]["median_seconds"] / eager,
        evidence={"rounds": rounds, "candidates": rows},
        skipped=skipped,
    )


def table(evidence: Mapping[str, Any]) -> list[str]:
    """A row a kind of start."""
    lines = ["| start | seconds, median | least | most |", "|---|---:|---:|---:|"]
    for name, row in evidence["candidates"].items():
        taken = row["seconds"]
        lines.append(f"| {name} | {row['median_seconds']:.1f} | {min(taken):.1f} | {max(taken):.1f} |")
    return lines


def commands(place: Path, *, images: int, photos: int) -> dict[str, list[str]]:
    """The command of each kind, its data made below ``place``."""
    cifar, folder = place / "cifar-10-batches-py", place / "photos"
    _make_cifar(cifar, images)
    _make_photos(folder, photos)
    train = [sys.executable, "-m", "residua", "train"]
    usual = ["--epochs", "1", "--set", "recipe.log_every=1", "--track", "none"]
    return {
        DIGITS: [*train, "digits", *usual],
        CIFAR: [*train, str(cifar), "--model", "cifar_resnet20", *usual],
        FOLDER: [*train, str(folder), *usual],
    }


def first_step(command: Sequence[str], run: Path, cache: Path) -> float:
    """Seconds from the start of a training until its first step is logged; it is ended then."""
    began = time.perf_counter()
    environment = {**os.environ, "RESIDUA_CACHE": str(cache)}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    log = run / "metrics.jsonl"
    try:
        while not (log.exists() and log.stat().st_size):
            if process.poll() is not None:
                said = process.stderr.read() if process.stderr else ""
                raise SystemExit(f"{' '.join(command)} ended before its first step: {said.strip()}")
            if time.perf_counter() - began > _PATIENCE:
                raise SystemExit(f"no step of {' '.join(command)} within {_PATIENCE:.0f} s")
            time.sleep(_POLL)
        return time.perf_counter() - began
    finally:
        process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()


def _imported() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", _IMPORT], check=True)
    return time.perf_counter() - began


def _make_cifar(folder: Path, images: int) -> None:
    """Files of CIFAR-10's official layout, ``images`` to train on, with noise on them."""
    import numpy as np

    random = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        pixels = random.integers(0, 256, (images // 5, 3072), np.uint8)
        labels = [index % 10 for index in range(len(pixels))]
        (folder / name).write_bytes(pickle.dumps({b"data": pixels, b"labels": labels}, protocol=2))
    names = [f"class {number}".encode() for number in range(10)]
    (folder / "batches.meta").write_bytes(pickle.dumps({b"label_names": names}, protocol=2))


def _make_photos(folder: Path, count: int) -> None:
    """JPEG files of 500 x 375 pixels in two class folders, smooth as photographs are."""
    for number, picture in zip(range(count), _pictures(), strict=False):
        path = folder / f"class_{number % 2}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, quality=90)


def _pictures() -> Iterator[Any]:
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    while True:
        coarse = random.integers(0, 256, (6, 8, 3), np.uint8)
        yield Image.fromarray(coarse).resize((500, 375), Image.Resampling.BICUBIC)
