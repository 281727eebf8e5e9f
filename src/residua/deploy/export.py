"""``export``: a trained network becomes an artifact, and is not written unless it answers as before."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from residua.data.encoded import PREPROCESSING
from residua.data.image import SMALL
from residua.deploy import quantization
from residua.deploy.artifact import (
    Accuracy,
    Artifact,
    Parity,
    Preprocessing,
    Quantization,
    Units,
    digests_of,
    refuse_existing,
    write_artifact,
)
from residua.deploy.deployable import Deployable
from residua.deploy.evidence import CALIBRATION_IMAGES, PARITY_IMAGES, Evidence, Images, gather
from residua.deploy.parity import UNMEASURED, logits_of, parity_of
from residua.deploy.program import Program, make_program
from residua.deploy.provenance import provenance
from residua.deploy.runtime import EagerRuntime, Format, Runtime, require
from residua.errors import ResiduaError, UsageError
from residua.evaluation.metrics import paired_interval
from residua.evaluation.source import NetworkLike, Trained, open_source
from residua.machine import machine
from residua.parts import find
from residua.spec import DataSpec

MAX_DROP = 0.5  # points
_log = logging.getLogger("residua")


def export(
    source: NetworkLike,
    *,
    format: str = "onnx",
    precision: str = "fp32",
    data: str | Path | DataSpec | None = None,
    out: str | Path | None = None,
    max_drop: float = MAX_DROP,
    overwrite: bool = False,
) -> Artifact:
    """Write a trained network as an artifact.

    Args:
        source: a run, a weight file or published weights, as ``load_weights`` takes them, or a network of
            ``create_model``.
        format: ``"onnx"``, ``"openvino"``, ``"pt2"``, or one of the user's own.
        precision: ``"fp32"``, ``"bf16"``, ``"fp16"`` or ``"int8"``; a format says which it has.
        data: the images that it is compared on; by default those of the run. A weight file alone is compared on noise.
        out: the folder; by default ``artifacts/FORMAT-PRECISION`` in the run folder.
        max_drop: points of top-1 that int8 may lose. Layers that lose more stay float; if that does not do, the
            artifact is float32 as a whole, and ``quantization`` says so.
        overwrite: replace an artifact that stands there.

    Raises UsageError for what cannot be asked, ResiduaError for a network that the format cannot hold, and for an
    artifact that answers otherwise than the network: nothing is left of it then.

    """
    if not max_drop >= 0:
        raise UsageError(f"max_drop is a number of points from 0, not {max_drop}")
    written = asked_format(format, precision)
    trained = open_source(source)
    place = Path(out) if out is not None else _usual_place(trained, f"{format}-{precision}")
    refuse_existing(place, overwrite=overwrite)
    module = deployable(trained)
    evidence = gather(trained, data, every=precision != "fp32")
    if precision == "int8" and not evidence.labelled:
        raise UsageError(
            f"int8 is judged by what it does to accuracy, on images with classes, of which {trained.name} has none here"
            + ("" if trained.run else ": name them with --data")
        )
    exporting = Exporting(
        trained=trained,
        format=written,
        program=program_of(trained, module, evidence.test),
        evidence=evidence,
        provenance=provenance(source, trained),
    )

    def make(folder: Path) -> Artifact:
        if precision == "int8":
            return exporting.quantized(folder, max_drop)
        return exporting.plain(folder, precision)

    return write_artifact(place, make, overwrite=overwrite)


def asked_format(kind: str, precision: str) -> Format:
    """The format, ready to write.

    Raises UsageError for a precision that it has not; ResiduaError as ``require``, and for bfloat16 on a processor that
    only emulates it: what cannot be measured here is not written here.
    """
    format: Format = find("format", kind)()
    if precision not in format.precisions:
        raise UsageError(f"{kind} has the precisions {', '.join(format.precisions)}, not {precision}")
    require(format.extra, f"the format {kind}")
    if precision == "bf16" and not machine().has_fast_bf16:
        raise ResiduaError(
            f"bf16 needs a processor that computes in bfloat16, and {machine().cpu} does not: "
            "export on one that does, or with --precision fp32"
        )
    return format


def deployable(trained: Trained) -> Deployable:
    """The network with its preprocessing. Raises UsageError for one that takes no images, or does not tell how."""
    images, name = trained.images, trained.name
    if trained.spec.takes_tokens or len(images.shape or trained.spec.usual_input) < 3:
        raise UsageError(f"{name} takes no images: only networks that do are exported")
    if not trained.spec.num_classes:
        raise UsageError(f"{name} has no classifier: there is nothing that its outputs say")
    if images.shape is None or images.mean is None or images.std is None:
        raise ResiduaError(f"{name} does not tell the size, mean and std of its images")
    full = 255.0 if len(images.shape) == 3 else 1.0  # volumes are scaled before
    return Deployable(trained.model, images.mean, images.std, full=full)


def program_of(trained: Trained, module: Deployable, images: Images) -> Program:
    """A network as formats get it. Raises ResiduaError in one line for one that cannot be recorded."""
    shown = torch.from_numpy(np.ascontiguousarray(images.pixels[:8]))
    if len(shown) == 1:
        shown = torch.cat([shown, shown])  # a batch of one would be recorded as a batch of one
    try:
        return make_program(module, shown, trained.images.targets or trained.classes)
    except ResiduaError as error:
        raise ResiduaError(f"{trained.name} cannot be exported: {error}") from error


@dataclass(frozen=True, kw_only=True, eq=False)
class Exporting:
    """All that an artifact is made of, and how it is measured."""

    trained: Trained
    format: Format
    program: Program
    evidence: Evidence
    provenance: dict[str, object]

    def plain(self, folder: Path, precision: str) -> Artifact:
        """The artifact in a floating-point precision. Raises ResiduaError if its answers differ by too much."""
        self.format.write(folder, self.program, precision)
        artifact, runtime = self._open(folder, precision)
        parity = self._parity(runtime, precision)
        accuracy = None
        if precision != "fp32" and self.evidence.labelled:
            accuracy = self._accuracy(runtime)
        return dataclasses.replace(artifact, parity=parity, accuracy=accuracy)

    def quantized(self, folder: Path, max_drop: float) -> Artifact:
        """The artifact in int8, or in float32 where int8 loses more than ``max_drop`` points."""
        tuning = self.evidence.tuning
        calibration = tuning.first(CALIBRATION_IMAGES)
        quantizer = self.format.quantizer(self.program, calibration.pixels)
        choice = quantization.choose(
            quantizer,
            lambda: self.format.quantizer(self.program, tuning.first(quantization.RANKED_ON).pixels),
            lambda place: self._open(place, "int8")[1],
            logits_of(self._eager, tuning.pixels),
            tuning,
            max_drop,
            _log.warning,
        )
        about = Quantization(
            layers=len(quantizer.layers),
            quantized=len(quantizer.layers) - len(choice.floats),
            left_float=tuple(name for name in quantizer.layers if name in choice.floats),
            calibration_images=len(calibration),
            calibrated_on=tuning.of,
            decided_on=len(tuning),
            max_drop=max_drop,
            drop=choice.drop,
        )
        if not choice.kept:
            return self._as_float(folder, about, choice.drop, tuning)
        quantizer.write(folder, choice.floats)
        artifact, runtime = self._open(folder, "int8")
        accuracy = self._accuracy(runtime)
        lost = 100 * (accuracy.before - accuracy.after)
        if lost > max_drop:  # other images decided; these are what is told
            for file in folder.iterdir():
                file.unlink()
            return self._as_float(folder, about, lost, self.evidence.test)
        parity = self._parity(runtime, "int8")
        return dataclasses.replace(artifact, parity=parity, accuracy=accuracy, quantization=about)

    def _as_float(self, folder: Path, about: Quantization, lost: float, images: Images) -> Artifact:
        """The artifact in float32, which says why it is not what was asked for."""
        reason = (
            f"int8 loses {lost:.2f} points on {len(images)} {images.of}, more than the {about.max_drop:g} of "
            "--max-drop: all layers stay float32"
        )
        about = dataclasses.replace(about, quantized=0, left_float=(), fallback=reason)
        return dataclasses.replace(self.plain(folder, "fp32"), quantization=about)

    def unmeasured(self, folder: Path, precision: str) -> Artifact:
        """The artifact before it is compared with anything; in int8 every layer is."""
        if precision == "int8":
            calibration = self.evidence.tuning.first(CALIBRATION_IMAGES)
            self.format.quantizer(self.program, calibration.pixels).write(folder, frozenset())
        else:
            self.format.write(folder, self.program, precision)
        return self._open(folder, precision)[0]

    @property
    def _eager(self) -> Runtime:
        return EagerRuntime(self.program.module, self.program.outputs)

    def _parity(self, runtime: Runtime, precision: str) -> Parity:
        images, classes = self.evidence.test.first(PARITY_IMAGES), self.trained.task.answers == "classes"
        return parity_of(runtime, self.program, images, precision, classes=classes)

    def _accuracy(self, runtime: Runtime) -> Accuracy:
        """What the artifact is worth beside the network, on every test image."""
        test = self.evidence.test
        right = [logits_of(one, test.pixels).argmax(1) == test.labels for one in (self._eager, runtime)]
        return Accuracy(
            images=len(test),
            of=test.of,
            before=float(right[0].mean()),
            after=float(right[1].mean()),
            interval=paired_interval(*right),
        )

    def _open(self, folder: Path, precision: str) -> tuple[Artifact, Runtime]:
        """The model in a folder, described but not yet measured."""
        images, task = self.trained.images, self.trained.task
        mean, std = images.target_mean, images.target_std
        artifact = Artifact(
            path=folder,
            name=self.trained.name,
            format=self.format.kind,
            precision=precision,
            computes=self.format.precisions[precision],
            task=task.kind,
            answers=task.answers,
            labels=self.program.labels,
            shape=images.shape or (),
            dtype=str(self.evidence.test.pixels.dtype),  # type: ignore[arg-type]  # uint8 or float32
            dynamic_batch=True,
            dynamic_size=self.program.dynamic_size,
            outputs=self.program.module.outputs,
            preprocessing=Preprocessing(
                mean=images.mean or (), std=images.std or (), resize=_resizing(images.shape or ())
            ),
            units=Units(mean=mean, std=std) if mean and std else None,
            parity=UNMEASURED,
            notes=(*self.trained.notes, *self.evidence.notes),
            network=self.trained.spec.to_dict(),
            provenance=self.provenance,
            digests=digests_of(folder),
        )
        return artifact, self.format.open(artifact, None)


def _resizing(shape: tuple[int, ...]) -> str:
    """How any image is brought to a shape, in words (``residua.data.image``)."""
    if len(shape) != 3 or shape[1] != shape[2]:
        return "none: of this very shape"
    return PREPROCESSING[shape[1] < SMALL].format(size=shape[1])


def _usual_place(trained: Trained, name: str) -> Path:
    if trained.run is None:
        raise UsageError(f"{trained.name} is no run: say with --out where its artifact is to stand")
    return trained.run.path / "artifacts" / name
