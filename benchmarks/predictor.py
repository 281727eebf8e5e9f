"""What ``Predictor`` adds to the raw runtime on ready arrays: batches, probabilities and names; aim: under 5 %."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.harness import Case, measure, measure_peaks, store
from residua import Predictor, create_model, save_model
from residua.analysis.cost import cost
from residua.deploy.artifact import read_artifact
from residua.deploy.export import export
from residua.deploy.runtime import Runtime, open_runtime
from residua.machine import usable_cores

NOTES = (
    "*runtime* is called with the batches that `Predictor` forms; *Predictor* is `predict(array)` of all the "
    "images, with the names and probabilities of the five likeliest classes. Random weights, seeded noise."
)
NETWORKS = {"cifar_resnet20": (32, 256), "resnet18": (224, 32)}  # name: pixels a side, images


def case(name: str, side: int, images: int, folder: Path) -> Case:
    """A network as an ONNX artifact."""
    model = create_model(name).eval()
    about = {"shape": [3, side, side], "mean": [0.5] * 3, "std": [0.25] * 3}
    save_model(folder / f"{name}.safetensors", model, about)
    export(folder / f"{name}.safetensors", out=folder / name)
    threads = usable_cores()
    predictor = Predictor(folder / name, threads=threads)
    runtime = open_runtime(read_artifact(folder / name), threads)
    pixels = np.random.default_rng(0).integers(0, 256, (images, 3, side, side), np.uint8)
    return Case(
        name=f"{name}, {images} images of {side} px, batches of {predictor.batch_size}, ONNX Runtime",
        items=images,
        flops=2 * cost(model, (3, side, side)).multiply_adds,
        candidates={
            "runtime": raw(runtime, pixels, predictor.batch_size),
            "Predictor": lambda: predictor.predict(pixels),
        },
        baseline="runtime",
    )


def raw(runtime: Runtime, pixels: np.ndarray, size: int) -> Callable[[], object]:
    """The runtime alone, on the same batches."""
    return lambda: [runtime(pixels[start : start + size]) for start in range(0, len(pixels), size)]


def main() -> None:
    """Run the cases and store their tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each turn, about")
    arguments = parser.parse_args()
    peaks = measure_peaks()
    with tempfile.TemporaryDirectory() as folder:
        cases = [case(name, *sizes, Path(folder)) for name, sizes in NETWORKS.items()]
        measured = [
            measure(one, rounds=arguments.rounds, min_seconds=arguments.seconds, peaks=peaks) for one in cases
        ]
    store("predictor", "What Predictor adds to the runtime", measured, peaks, NOTES)


if __name__ == "__main__":
    main()
