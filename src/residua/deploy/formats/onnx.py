"""ONNX, run by ONNX Runtime."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from residua.deploy.artifact import Artifact
from residua.deploy.runtime import Format, Outputs, Runtime
from residua.errors import ResiduaError
from residua.parts import register

if TYPE_CHECKING:
    from residua.deploy.program import Program

MODEL = "model.onnx"


@register
@dataclass(frozen=True, kw_only=True)
class Onnx(Format):
    """One ``model.onnx`` by torch's exporter; labels stand in its metadata."""

    kind: ClassVar[str] = "onnx"
    extra: ClassVar[str] = "export"
    precisions: ClassVar[Mapping[str, str]] = {"fp32": "float32"}

    def write(self, folder: Path, program: Program, precision: str) -> None:  # noqa: D102
        import onnx

        model = onnx_model(program)
        onnx.helper.set_model_props(model, {"labels": json.dumps(program.labels, ensure_ascii=False)})
        onnx.save_model(model, folder / MODEL)

    def open(self, artifact: Artifact, threads: int | None) -> Runtime:  # noqa: D102
        return OnnxRuntime(artifact.file(MODEL), threads)


def onnx_model(program: Program) -> Any:
    """The ``onnx.ModelProto`` of a program."""
    import torch

    from residua.deploy.program import quiet

    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)  # it warns of a torchvision that it does not need
    with quiet():
        made = torch.onnx.export(
            program.exported,
            input_names=["images"],
            output_names=list(program.outputs),
            dynamo=True,
            verbose=False,
        )
    log.setLevel(level)
    return made.model_proto


class OnnxRuntime:
    """A session of ONNX Runtime on the processor."""

    def __init__(self, path: Path, threads: int | None) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
        except Exception as error:  # its own classes, of which it documents none
            reason = next(iter(str(error).splitlines()), "")
            raise ResiduaError(f"ONNX Runtime does not take {path}: {reason[:200]}") from error
        self._input = self._session.get_inputs()[0].name
        self._names = [output.name for output in self._session.get_outputs()]

    def __call__(self, images: np.ndarray) -> Outputs:
        """Run it."""
        return dict(zip(self._names, self._session.run(None, {self._input: images}), strict=True))
