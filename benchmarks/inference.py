"""ResNet-18 and -50 by every backend of residua, beside torchvision and what its users do: compile, ONNX, OpenVINO.

The last case starts from the bytes of JPEG files, with torchvision's own preprocessing on one side and ``Predictor`` on
the other. Needs torchvision, and the extras export and openvino; what is not installed is left out and said.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from benchmarks.harness import Case, measure, measure_peaks, store
from benchmarks.peers import import_torchvision
from residua import Predictor
from residua.analysis.cost import cost
from residua.deploy.artifact import write_artifact
from residua.deploy.backend import Backend, Material
from residua.deploy.evidence import noise
from residua.deploy.export import Exporting
from residua.deploy.runtime import Format
from residua.errors import ResiduaError
from residua.evaluation.source import InputFacts, Trained, open_source
from residua.machine import compiler, usable_cores
from residua.parts import find, parts

MEAN, STD, SIDE = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 224
PEERS = ("torchvision eager", "torchvision compiled", "torchvision onnxruntime", "torchvision openvino")
FROM_JPEG = {"onnx": ("fp32", "int8"), "openvino": ("fp32", "bf16", "int8")}
NOTES = (
    "torchvision's networks with random weights; residua has the same weights, and its outputs in float32 are compared "
    "with theirs before timing. The peers are given normalised float32 tensors, residua uint8 pixels, which it "
    "normalises inside. *torchvision onnxruntime* and *openvino* are those libraries' own conversions of torchvision's "
    "module (`torch.onnx.export`, `openvino.convert_model`), with as many threads, in float32: what residua's rows of "
    "the same runtime gain over them is residua's merit, the rest is the runtime's. int8 is calibrated on seeded "
    "noise, which its speed does not depend on."
)


def peers(
    model: nn.Module, floats: torch.Tensor, threads: int, folder: Path
) -> Iterator[tuple[str, Callable[[], object]]]:
    """What a user of torchvision runs. Skips what is not installed."""
    model = model.eval()
    yield PEERS[0], torch.inference_mode()(lambda: model(floats))
    if compiler().problem is None:
        compiled = torch.compile(model, dynamic=False)
        yield PEERS[1], torch.inference_mode()(lambda: compiled(floats))
    try:
        import onnxruntime

        path = folder / f"peer-{len(floats)}.onnx"
        torch.onnx.export(model, (floats,), path, dynamo=True, external_data=False, verbose=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
        given = {session.get_inputs()[0].name: floats.numpy()}
        yield PEERS[2], lambda: session.run(None, given)
    except ImportError as error:
        print(f"left out: {PEERS[2]}: {error}")
    try:
        import openvino  # pyright: ignore[reportMissingImports]

        config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
        ready = openvino.compile_model(openvino.convert_model(model, example_input=floats), "CPU", config)
        yield PEERS[3], lambda: ready(floats.numpy())
    except ImportError as error:
        print(f"left out: {PEERS[3]}: {error}")


def as_residua(name: str, model: nn.Module, folder: Path) -> Trained:
    """The same network, read from the file that a user of torchvision would save."""
    torch.save(model.state_dict(), folder / f"{name}.pth")
    trained = open_source(folder / f"{name}.pth")
    facts = InputFacts(shape=(3, SIDE, SIDE), mean=MEAN, std=STD)
    return dataclasses.replace(trained, images=facts, name=name)


def case(name: str, model: nn.Module, trained: Trained, batch: int, threads: int, folder: Path) -> Case:
    """Every candidate of a network at a batch size."""
    pixels = np.random.default_rng(0).integers(0, 256, (batch, 3, SIDE, SIDE), np.uint8)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    floats = (torch.from_numpy(pixels).float() / 255 - mean) / std
    candidates = dict(peers(model, floats, threads, folder))
    with torch.inference_mode():
        expected = model(floats).numpy()
    material = Material(trained=trained, evidence=noise(trained, "a benchmark"), threads=threads)
    backends: Mapping[str, type[Backend]] = parts("backend")
    for kind, backend in sorted(backends.items()):
        for precision in backend.precisions if kind != "eager" else ():
            place = folder / f"{name}-{batch}-{kind}-{precision}"
            try:
                if reason := backend().lacks(precision):
                    raise ResiduaError(reason)
                place.mkdir()
                runtime = backend().prepare(material, precision, place)
            except ResiduaError as error:
                print(f"left out: residua {kind} {precision}: {error}")
                continue
            found = runtime(pixels)["logits"]
            assert precision != "fp32" or np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()
            candidates[f"residua {kind} {precision}"] = lambda runtime=runtime: runtime(pixels)
    return Case(
        name=f"{name}, batch {batch}, {SIDE} px",
        items=batch,
        flops=2 * cost(trained.model, (3, SIDE, SIDE)).multiply_adds,
        candidates=candidates,
        baseline=PEERS[0],
    )


def from_jpeg(
    torchvision: Any, name: str, model: nn.Module, trained: Trained, photos: Path, threads: int, folder: Path
) -> Case:
    """From the bytes of photographs to the five likeliest classes."""
    files = [
        path.read_bytes() for path in sorted(photos.iterdir()) if path.suffix.lower() in (".jpg", ".jpeg")
    ]
    transforms = torchvision.transforms
    usual = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(SIDE),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )

    @torch.inference_mode()
    def conventional() -> list[Any]:
        found = []
        for start in range(0, len(files), 16):
            images = [usual(Image.open(io.BytesIO(one)).convert("RGB")) for one in files[start : start + 16]]
            found += model(torch.stack(images)).softmax(1).topk(5).indices.tolist()
        return found

    candidates: dict[str, Callable[[], object]] = {"torchvision preprocessing and eager": conventional}
    evidence = noise(trained, "a benchmark")
    program = Material(trained=trained, evidence=evidence, threads=threads).program
    for kind, precisions in FROM_JPEG.items():
        for precision in precisions:
            backend = next(b for b in parts("backend").values() if b.format == kind)()
            if reason := backend.lacks(precision):
                print(f"left out: residua from JPEG, {kind} {precision}: {reason}")
                continue
            format: Format = find("format", kind)()
            exporting = Exporting(
                trained=trained, format=format, program=program, evidence=evidence, provenance={}
            )
            artifact = write_artifact(
                folder / f"{name}-jpeg-{kind}-{precision}",
                lambda place, e=exporting, p=precision: e.unmeasured(place, p),
            )
            predictor = Predictor(artifact, threads=threads)
            candidates[f"residua {kind} {precision}"] = lambda predictor=predictor: predictor.predict(files)
    return Case(
        name=f"{name}, from the bytes of {len(files)} JPEG photographs to labels",
        items=len(files),
        flops=2 * cost(trained.model, (3, SIDE, SIDE)).multiply_adds,
        candidates=candidates,
        baseline="torchvision preprocessing and eager",
    )


def main() -> None:
    """Run the cases and store their tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--photos", type=Path, help="a folder of JPEG photographs; without it that case is left out"
    )
    parser.add_argument("--networks", nargs="+", default=["resnet18", "resnet50"])
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each turn, about")
    arguments = parser.parse_args()
    # what the page calls the command: a path means nothing there
    sys.argv[1:] = ["PHOTOS" if word == str(arguments.photos) else word for word in sys.argv[1:]]
    threads = usable_cores()
    torch.set_num_threads(threads)
    torchvision, peaks = import_torchvision(), measure_peaks()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in arguments.networks:
            torch.manual_seed(0)
            model = getattr(torchvision.models, name)().eval()
            trained = as_residua(name, model, folder)
            cases = [case(name, model, trained, batch, threads, folder) for batch in arguments.batch_sizes]
            if arguments.photos:
                cases.append(from_jpeg(torchvision, name, model, trained, arguments.photos, threads, folder))
            measured = [
                measure(one, rounds=arguments.rounds, min_seconds=arguments.seconds, peaks=peaks)
                for one in cases
            ]
            store(f"inference-{name}", f"Inference of {name}", measured, peaks, NOTES)


if __name__ == "__main__":
    main()
