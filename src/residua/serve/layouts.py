"""An artifact as the folders that other servers read: NVIDIA Triton and OpenVINO Model Server. Nothing is converted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from residua.deploy.artifact import Artifact, read_artifact
from residua.errors import ResiduaError, UsageError, nearest
from residua.files import NEW, beside, clear, locked, make_folder, sync_folder, write_text

_BACKENDS = {"onnx": "onnxruntime", "openvino": "openvino"}  # of Triton, by format; pt2 is for torch alone
_TYPES = {"uint8": "TYPE_UINT8", "float32": "TYPE_FP32"}
_MOST_IN_A_BATCH = 32
_DELAY = 2000  # microseconds


def write_layout(kind: str, artifact: str | Path, repository: Path, name: str) -> Path:
    """Add an artifact to a model repository, as the next version of ``name``, and return that version's folder.

    A version appears whole, and none is ever changed: the servers watch for new numbers. Raises UsageError for a
    layout or format that there is not, ResiduaError for a damaged artifact and a disk that refuses.
    """
    if kind not in LAYOUTS:
        raise UsageError(f"there is no layout {kind!r}{nearest(kind, LAYOUTS)}: {' or '.join(LAYOUTS)}")
    read = read_artifact(artifact)
    if read.format not in _BACKENDS:
        raise UsageError(f"{artifact} is {read.format}: {kind} reads {' and '.join(_BACKENDS)}")
    place = repository / name
    try:
        make_folder(place)
        numbers = [int(path.name) for path in place.iterdir() if path.name.isdecimal()]
        version = place / str(max(numbers, default=0) + 1)
        with locked(version):
            new = beside(version, NEW)
            clear(new)
            new.mkdir()
            for file in read.digests:
                shutil.copyfile(read.file(file), new / file)
            for file, text in LAYOUTS[kind](read, name).items():
                write_text(place / file, text)
            new.rename(version)
            sync_folder(place)
    except OSError as error:
        raise ResiduaError(f"cannot write {place}: {error.strerror or error}") from error
    return version


def _triton(artifact: Artifact, name: str) -> dict[str, str]:
    """``config.pbtxt`` with the model's inputs, outputs and batches, and the labels of its classes."""
    batch = _MOST_IN_A_BATCH if artifact.dynamic_batch else 0
    first = [] if batch else [1]  # without batches of its own making, Triton is told the whole shape
    lines = [
        f"name: {json.dumps(name)}",
        f"backend: {json.dumps(_BACKENDS[artifact.format])}",
        f"max_batch_size: {batch}",
        _tensor(
            "input",
            "images",
            f"TYPE_{'UINT8' if artifact.dtype == 'uint8' else 'FP32'}",
            [*first, *artifact.shape],
        ),
    ]
    for output, names in artifact.outputs.items():
        if output == "logits":
            shape, more = [*first, len(artifact.labels)], '  label_filename: "labels.txt"\n'
        else:
            shape, more = [*first, *[-1] * (len(names) - 1)], ""
        lines.append(_tensor("output", output, _TYPES["float32"], shape, more))
    if batch:
        lines.append(f"dynamic_batching {{ max_queue_delay_microseconds: {_DELAY} }}")
    labels = [label.replace("\n", " ") for label in artifact.labels]
    return {"config.pbtxt": "\n".join(lines) + "\n", "labels.txt": "\n".join(labels) + "\n"}


def _tensor(kind: str, name: str, dtype: str, shape: list[int], more: str = "") -> str:
    dims = ", ".join(map(str, shape))
    return f'{kind} [ {{\n  name: "{name}"\n  data_type: {dtype}\n  dims: [ {dims} ]\n{more}}} ]'


def _ovms(artifact: Artifact, name: str) -> dict[str, str]:
    """Nothing beside the versions: OpenVINO Model Server reads the rest from the model."""
    return {}


LAYOUTS: dict[str, Callable[[Artifact, str], dict[str, str]]] = {"triton": _triton, "ovms": _ovms}
