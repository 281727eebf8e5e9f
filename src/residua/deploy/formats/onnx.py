"""ONNX, run by ONNX Runtime."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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

MODEL = "model.onnx"
_IMAGES = "images"
_LAYERS = ("Conv", "Gemm", "MatMul")  # what int8 makes faster
# and what stands between them, so that values stay int8 from one to the next
_BETWEEN = ("Add", "Relu", "MaxPool", "Concat")
_FEW = 16  # values below which a tensor is not worth a cast


@register
@dataclass(frozen=True, kw_only=True)
class Onnx(Format):
    """One ``model.onnx`` by torch's exporter; the labels stand in its metadata."""

    kind: ClassVar[str] = "onnx"
    extra: ClassVar[str] = "export"
    precisions: ClassVar[Mapping[str, str]] = {
        "fp32": "float32",
        "fp16": "weights stored as float16, computed in float32",
        "int8": "weights of 7 bits a channel (products of 8 bits overflow on processors without VNNI), uint8 values",
    }

    def write(self, folder: Path, program: Program, precision: str) -> None:  # noqa: D102
        model = _model(program)
        if precision == "fp16":
            _store_as_float16(model)
        _save(model, folder)

    def quantizer(self, program: Program, images: np.ndarray) -> Quantizer:  # noqa: D102
        return OnnxQuantizer(_model(program), images)

    def open(self, artifact: Artifact, threads: int | None) -> Runtime:  # noqa: D102
        return OnnxRuntime(artifact.file(MODEL), threads)


class OnnxRuntime:
    """A session of ONNX Runtime on the processor."""

    def __init__(self, path: Path, threads: int | None) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            # of bytes: tensors in other files, which a model may name, are not looked for
            self._session = onnxruntime.InferenceSession(path.read_bytes(), options, ["CPUExecutionProvider"])
        except Exception as error:  # its own classes, of which it documents none
            reason = " ".join(str(error).split())
            raise ResiduaError(f"ONNX Runtime does not take {path}: {reason[:200]}") from error
        self._input = self._session.get_inputs()[0].name
        self._names = [output.name for output in self._session.get_outputs()]

    def __call__(self, images: np.ndarray) -> Outputs:
        """Run it."""
        found: Any = self._session.run(None, {self._input: images})  # arrays: no output is anything else
        return dict(zip(self._names, found, strict=True))


class OnnxQuantizer:
    """ONNX Runtime's static quantisation, with a scale for each channel of a weight; calibrated once."""

    def __init__(self, model: Any, images: np.ndarray) -> None:
        import onnx

        self._images = images
        nodes = list(model.graph.node)
        self.layers = tuple(node.name for node in nodes if node.op_type in _LAYERS)
        first = next(i for i, node in enumerate(nodes) if node.name == self.layers[0])
        last = max(i for i, node in enumerate(nodes) if node.name == self.layers[-1])
        # normalisation stands before the layers, the class-activation map behind them
        self._outside = [node.name for i, node in enumerate(nodes) if not first <= i <= last]
        self._place = tempfile.TemporaryDirectory(
            prefix="residua-onnx-"
        )  # quantize_static spoils a model in memory
        self._floats, self._ranges = (Path(self._place.name, name) for name in ("floats.onnx", "ranges.json"))
        onnx.save_model(model, self._floats)

    def write(self, folder: Path, floats: frozenset[str]) -> None:
        """Write the model, int8 but for the layers ``floats``."""
        from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

        with _quiet("root"):
            quantize_static(
                self._floats,
                folder / MODEL,
                _Batches(self._images),  # type: ignore[arg-type]  # of its base class, get_next is all that is called
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=[*_LAYERS, *_BETWEEN],
                nodes_to_exclude=[*self._outside, *floats],
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibration_cache_path=self._ranges,
            )


class _Batches:
    """What ONNX Runtime's calibration reads: one image at a time, so that memory does not follow their number."""

    def __init__(self, images: np.ndarray) -> None:
        self._left = iter(images)

    def get_next(self) -> dict[str, np.ndarray] | None:
        image = next(self._left, None)
        return None if image is None else {_IMAGES: image[None]}


def _model(program: Program) -> Any:
    """The ``onnx.ModelProto`` of a program."""
    import onnx
    import torch

    with _quiet("torch.onnx"):  # it warns of a torchvision that it does not need
        made = torch.onnx.export(
            program.exported,
            input_names=[_IMAGES],
            output_names=list(program.outputs),
            dynamo=True,
            verbose=False,
        )
    model = made.model_proto  # type: ignore[union-attr]  # dynamo=True makes a program
    onnx.helper.set_model_props(model, {"labels": json.dumps(program.labels, ensure_ascii=False)})
    return model


def _save(model: Any, folder: Path) -> None:
    import onnx

    onnx.save_model(model, folder / MODEL)


def _store_as_float16(model: Any) -> None:
    """Halve the file: weights become float16, each with a cast, which ONNX Runtime does once when it opens the file."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if (
            values.dtype != np.float32
            or values.size < _FEW
            or np.abs(values).max() > np.finfo(np.float16).max
        ):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_float16"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], f"{name}_cast", to=TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Without the warnings of a library's log."""
    from residua.deploy.program import quiet

    log = logging.getLogger(name)
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with quiet():
            yield
    finally:
        log.setLevel(level)
