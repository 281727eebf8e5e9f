"""torch's own exported program, run by torch."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from residua.deploy.artifact import Artifact
from residua.deploy.runtime import EagerRuntime, Format, Runtime
from residua.errors import ResiduaError
from residua.parts import register

if TYPE_CHECKING:
    from residua.deploy.program import Program

MODEL = "model.pt2"


@register
@dataclass(frozen=True, kw_only=True)
class Pt2(Format):
    """One ``model.pt2``; the labels stand in its ``extra/labels.json``. Threads are those of torch, which all share."""

    kind: ClassVar[str] = "pt2"
    precisions: ClassVar[Mapping[str, str]] = {
        "fp32": "float32",
        "bf16": "weights and values bfloat16, normalisation and outputs float32",
    }

    def write(self, folder: Path, program: Program, precision: str) -> None:
        """Raises ResiduaError for a program with operations that reading would refuse."""
        import torch

        from residua.deploy.program import recorded
        from residua.deploy.pt2_archive import bare, checked_archive

        if precision == "bf16":
            module = copy.deepcopy(program.module)
            module.network.bfloat16()
            exported = recorded(module, program.images, dynamic_size=program.dynamic_size)
        else:
            exported = program.exported
        labels = json.dumps(program.labels, ensure_ascii=False)
        torch.export.save(bare(exported), folder / MODEL, extra_files={"labels.json": labels})
        checked_archive(folder / MODEL, len(program.outputs))

    def open(self, artifact: Artifact, threads: int | None) -> Runtime:  # noqa: D102
        import torch

        from residua.deploy.pt2_archive import checked_archive

        path = artifact.file(MODEL)
        archive = checked_archive(path, len(artifact.outputs))
        try:
            module = torch.export.load(archive).module()
        except Exception as error:  # whatever torch says to a file that was not written by it
            reason = " ".join(str(error).split())
            raise ResiduaError(f"torch does not take {path}: {reason[:200]}") from error
        if threads is not None:
            torch.set_num_threads(threads)
        return EagerRuntime(module, list(artifact.outputs))
