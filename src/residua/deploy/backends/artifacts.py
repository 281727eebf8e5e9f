"""The runtimes of artifacts: the network is exported, and its file is run."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from residua.deploy.backend import Backend
from residua.deploy.export import export
from residua.deploy.runtime import Format, Runtime, open_runtime, require
from residua.errors import ResiduaError
from residua.parts import find, register

if TYPE_CHECKING:
    from residua.evaluation.source import Trained
    from residua.spec import DataSpec


class _OfArtifacts(Backend, ABC):
    precisions: ClassVar[tuple[str, ...]] = ("fp32", "bf16", "int8")

    def lacks(self, precision: str) -> str:
        try:
            format: type[Format] = find("format", self.format)
            require(format.extra, self.kind)
        except ResiduaError as error:
            return str(error)
        if precision not in format.precisions:
            return f"the format {self.format} has no {precision}"
        return super().lacks(precision)

    def prepare(
        self,
        trained: Trained,
        precision: str,
        *,
        data: str | Path | DataSpec | None,
        threads: int,
        folder: Path,
    ) -> Runtime:
        artifact = export(
            trained, format=self.format, precision=precision, data=data, out=folder / "artifact"
        )
        if artifact.precision != precision:
            raise ResiduaError(f"its artifact became {artifact.precision}: {'; '.join(artifact.notes)}")
        return open_runtime(artifact, threads)


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
