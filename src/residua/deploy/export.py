"""``export``: a trained network becomes an artifact, and is not written unless it answers as before."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from residua.data.encoded import PREPROCESSING
from residua.data.image import SMALL
from residua.deploy.artifact import (
    Artifact,
    Parity,
    Preprocessing,
    Units,
    digests_of,
    refuse_existing,
    write_artifact,
)
from residua.deploy.deployable import Deployable
from residua.deploy.evidence import Evidence, gather
from residua.deploy.parity import measure
from residua.deploy.program import Program, make_program
from residua.deploy.runtime import Format, require
from residua.errors import ResiduaError, UsageError
from residua.evaluation.source import NetworkLike, Trained, open_source
from residua.loading import locate
from residua.machine import instruction_set, machine
from residua.parts import find
from residua.spec import DataSpec
from residua.weights.digest import digest_of

_UNMEASURED = Parity(
    images=0,
    of="",
    max_error=0.0,
    relative_error=0.0,
    tolerance=None,
    max_probability_error=None,
    agreement=None,
    batch_sizes=(),
    sizes=(),
    folding_error=0.0,
)


def export(
    source: NetworkLike,
    *,
    format: str = "onnx",
    precision: str = "fp32",
    data: str | Path | DataSpec | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
) -> Artifact:
    """Write a trained network as an artifact.

    Args:
        source: a run, a weight file or published weights, as ``load_weights`` takes them.
        format: ``"onnx"``, ``"openvino"``, ``"pt2"``, or one of the user's own.
        precision: ``"fp32"``, ``"bf16"``, ``"fp16"`` or ``"int8"``; a format says which it has.
        data: the images that it is compared on; by default those of the run. A weight file alone is compared on noise.
        out: the folder; by default ``artifacts/FORMAT-PRECISION`` in the run folder.
        overwrite: replace an artifact that stands there.

    Raises UsageError for what cannot be asked, ResiduaError for a network that the format cannot hold, and for an
    artifact that answers otherwise than the network: nothing is left of it then.

    """
    written = asked_format(format, precision)
    trained = open_source(source)
    place = Path(out) if out is not None else _usual_place(trained, f"{format}-{precision}")
    refuse_existing(place, overwrite=overwrite)
    module = deployable(trained)
    evidence = gather(trained, data)
    program = _program(trained, module, evidence)

    def make(folder: Path) -> Artifact:
        written.write(folder, program, precision)
        artifact = dataclasses.replace(
            _describe(trained, program, written, precision, evidence),
            path=folder,
            digests=digests_of(folder),
            provenance=_provenance(source, trained),
        )
        runtime = written.open(artifact, None)
        parity = measure(runtime, program, evidence.test, precision, answers=artifact.answers)
        return dataclasses.replace(artifact, parity=parity)

    return write_artifact(place, make, overwrite=overwrite)


def asked_format(kind: str, precision: str) -> Format:
    """The format, ready to write. Raises UsageError for a precision that it has not; ResiduaError as ``require``."""
    format: Format = find("format", kind)()
    if precision not in format.precisions:
        raise UsageError(f"{kind} has the precisions {', '.join(format.precisions)}, not {precision}")
    require(format.extra, f"the format {kind}")
    return format


def deployable(trained: Trained) -> Deployable:
    """The network with its preprocessing. Raises UsageError for one that takes no images, or does not tell how."""
    images, name = trained.images, trained.name
    if trained.spec.takes_tokens or len(images.shape or trained.spec.usual_input) < 3:
        raise UsageError(
            f"{name} takes no images: classifiers, regressions, detectors and segmenters are exported"
        )
    if images.shape is None or images.mean is None or images.std is None:
        raise ResiduaError(f"{name} does not tell the size, mean and std of its images")
    return Deployable(trained.model, images.mean, images.std)


def _program(trained: Trained, module: Deployable, evidence: Evidence) -> Program:
    shown = torch.from_numpy(np.ascontiguousarray(evidence.test.pixels[:8]))
    if len(shown) == 1:
        shown = torch.cat([shown, shown])  # a batch of one would be recorded as a batch of one
    try:
        return make_program(module, shown, trained.images.targets or trained.classes)
    except ResiduaError as error:
        raise ResiduaError(f"{trained.name} cannot be exported: {error}") from error


def _describe(
    trained: Trained, program: Program, format: Format, precision: str, evidence: Evidence
) -> Artifact:
    """What is known before anything is measured."""
    images, task = trained.images, trained.task
    mean, std = images.target_mean, images.target_std
    return Artifact(
        path=Path(),
        name=trained.name,
        format=format.kind,
        precision=precision,
        computes=format.precisions[precision],
        task=task.kind,
        answers=task.answers,
        labels=program.labels,
        shape=images.shape or (),
        dtype=str(evidence.test.pixels.dtype),  # type: ignore[arg-type]  # uint8 or float32
        dynamic_batch=True,
        dynamic_size=program.dynamic_size,
        outputs=program.module.outputs,
        preprocessing=Preprocessing(
            mean=images.mean or (), std=images.std or (), resize=_resizing(images.shape or ())
        ),
        units=Units(mean=mean, std=std) if mean and std else None,
        parity=_UNMEASURED,
        notes=(*trained.notes, *evidence.notes),
        network=trained.spec.to_dict(),
        provenance={},
        digests={},
    )


def _resizing(shape: tuple[int, ...]) -> str:
    """How any image is brought to a shape, in words (``residua.data.image``)."""
    if len(shape) != 3 or shape[1] != shape[2]:
        return "none: of this very shape"
    return PREPROCESSING[shape[1] < SMALL].format(size=shape[1])


def _usual_place(trained: Trained, name: str) -> Path:
    if trained.run is None:
        raise UsageError(f"{trained.name} is no run: say with --out where its artifact is to stand")
    return trained.run.path / "artifacts" / name


_LIBRARIES = ("residua", "torch", "onnx", "onnxscript", "onnxruntime", "openvino", "nncf")


def _provenance(source: NetworkLike, trained: Trained) -> dict[str, Any]:
    """Where an artifact comes from."""
    found = trained.run.weights if trained.run else locate(source) if isinstance(source, str | Path) else None
    here = machine()
    return {
        "run": trained.run.name if trained.run else None,
        "weights": digest_of(found) if isinstance(found, Path) else None,
        "versions": {name: _version(name) for name in _LIBRARIES if _version(name)},
        "machine": {"cpu": here.cpu, "instruction_set": instruction_set(here.instructions)},
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "made": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
