"""OpenVINO's IR, run by OpenVINO on the processor."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from residua.deploy.artifact import Artifact
from residua.deploy.runtime import Format, Outputs, Quantizer, Runtime
from residua.errors import ResiduaError
from residua.parts import register

if TYPE_CHECKING:
    from residua.deploy.program import Program

MODEL, WEIGHTS = "model.xml", "model.bin"
_LAYERS = ("Convolution", "GroupConvolution", "MatMul")
# OpenVINO would compute in bfloat16 wherever the processor has it
_HINTS = {"bf16": "bf16"}


@register
@dataclass(frozen=True, kw_only=True)
class OpenVino(Format):
    """``model.xml`` and ``model.bin``; the labels stand in ``rt_info``, where OpenVINO's own tools look for them."""

    kind: ClassVar[str] = "openvino"
    extra: ClassVar[str] = "openvino"
    precisions: ClassVar[Mapping[str, str]] = {
        "fp32": "float32 (INFERENCE_PRECISION_HINT f32)",
        "bf16": "bfloat16 (INFERENCE_PRECISION_HINT bf16), weights stored as float32",
        "fp16": "weights stored as float16, computed in float32 (INFERENCE_PRECISION_HINT f32)",
        "int8": "weights of 7 bits a channel (products of 8 bits overflow on processors without VNNI), int8 values, "
        "float32 where NNCF put none (INFERENCE_PRECISION_HINT f32)",
    }

    def write(self, folder: Path, program: Program, precision: str) -> None:  # noqa: D102
        _save(_model(program), folder, program.labels, float16=precision == "fp16")

    def quantizer(self, program: Program, images: np.ndarray) -> Quantizer:  # noqa: D102
        return NncfQuantizer(_model(program), images, program.labels)

    def open(self, artifact: Artifact, threads: int | None) -> Runtime:  # noqa: D102
        hint = _HINTS.get(artifact.precision, "f32")
        return OpenVinoRuntime(artifact.file(MODEL), artifact.file(WEIGHTS), hint, threads)


class OpenVinoRuntime:
    """A compiled model; each thread that calls has a request of its own."""

    def __init__(self, model: Path, weights: Path, hint: str, threads: int | None) -> None:
        openvino = _openvino()
        config: dict[str, Any] = {"INFERENCE_PRECISION_HINT": hint}
        if threads is not None:
            config["INFERENCE_NUM_THREADS"] = threads
        try:
            core = openvino.Core()
            self._compiled = core.compile_model(core.read_model(model, weights), "CPU", config)
        except Exception as error:  # whatever its frontends and plugins say
            reason = " ".join(str(error).split())
            raise ResiduaError(f"OpenVINO does not take {model}: {reason[:200]}") from error

    def __call__(self, images: np.ndarray) -> Outputs:
        """Run it."""
        found = self._compiled.create_infer_request().infer([np.ascontiguousarray(images)])
        return {output.any_name: np.array(value) for output, value in found.items()}


class NncfQuantizer:
    """NNCF's post-training quantisation."""

    def __init__(self, model: Any, images: np.ndarray, labels: tuple[str, ...]) -> None:
        self._model, self._images, self._labels = model, images, labels
        nodes = model.get_ordered_ops()
        self.layers = tuple(node.get_friendly_name() for node in nodes if node.get_type_name() in _LAYERS)

    def write(self, folder: Path, floats: frozenset[str]) -> None:
        """Write the model, int8 but for the layers ``floats``."""
        _openvino()
        with contextlib.redirect_stdout(io.StringIO()):  # its bars are no result
            import nncf  # pyright: ignore[reportMissingImports]

            nncf.set_log_level(logging.ERROR)
            found = nncf.quantize(
                self._model,
                nncf.Dataset([image[None] for image in self._images]),
                subset_size=len(self._images),
                preset=nncf.QuantizationPreset.MIXED,
                advanced_parameters=nncf.AdvancedQuantizationParameters(
                    overflow_fix=nncf.OverflowFix.ENABLE  # the artifact may go to a processor without VNNI
                ),
                ignored_scope=nncf.IgnoredScope(names=sorted(floats)) if floats else None,
            )
        _save(found, folder, self._labels, float16=False)


def _model(program: Program) -> Any:
    """The ``openvino.Model`` of a program."""
    from residua.deploy.program import quiet

    with quiet():
        model = _openvino().convert_model(program.exported)
    for port, name in zip([*model.inputs, *model.outputs], ["images", *program.outputs], strict=True):
        port.get_tensor().set_names({name})
    return model


def _save(model: Any, folder: Path, labels: tuple[str, ...], *, float16: bool) -> None:
    model.set_rt_info(json.dumps(labels, ensure_ascii=False), ["model_info", "labels"])
    _openvino().save_model(model, folder / MODEL, compress_to_fp16=float16)


def _openvino() -> Any:
    """The library, which without this would report its use to its maker."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: it cannot be imported
    import openvino  # pyright: ignore[reportMissingImports]

    return openvino
