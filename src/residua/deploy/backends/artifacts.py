"""The runtimes of artifacts: the network is exported, and its file is run."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from residua.deploy.backend import Backend, Material
from residua.deploy.export import Exporting
from residua.deploy.runtime import Format, Runtime, open_runtime, require
from residua.errors import ResiduaError
from residua.parts import find, register


class _OfArtifacts(Backend, ABC):
    precisions: ClassVar[tuple[str, ...]] = ("fp32", "bf16", "int8")

    def lacks(self, precision: str) -> str:
        format: type[Format] = find("format", self.format)
        try:
            require(format.extra, self.kind)
        except ResiduaError as error:
            return str(error)
        if precision not in format.precisions:
            return f"the format {self.format} has no {precision}"
        return super().lacks(precision)

    def prepare(self, material: Material, precision: str, folder: Path) -> Runtime:
        exporting = Exporting(
            trained=material.trained,
            format=find("format", self.format)(),
            program=material.program,
            evidence=material.evidence,
            provenance={},
        )
        return open_runtime(exporting.unmeasured(folder, precision), material.threads)


@register
@dataclass(frozen=True, kw_only=True)
class OnnxRuntimeBackend(_OfArtifacts):
    """ONNX Runtime, on an ONNX file."""

    kind: ClassVar[str] = "onnxruntime"
    format: ClassVar[str] = "onnx"


@register
@dataclass(frozen=True, kw_only=True)
class OpenVinoBackend(_OfArtifacts):
    """OpenVINO, on its own files."""

    kind: ClassVar[str] = "openvino"
    format: ClassVar[str] = "openvino"
