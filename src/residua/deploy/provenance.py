"""Where an artifact comes from."""

from __future__ import annotations

import importlib.metadata
import sys
import time
from pathlib import Path
from typing import Any

from residua.evaluation.source import NetworkLike, Trained
from residua.loading import locate
from residua.machine import instruction_set, machine
from residua.weights.digest import digest_of

_LIBRARIES = ("residua", "torch", "onnx", "onnxscript", "onnxruntime", "openvino", "nncf")


def provenance(source: NetworkLike, trained: Trained) -> dict[str, Any]:
    """The run, the digest of its weights, versions, machine, command and time."""
    found = trained.run.weights if trained.run else locate(source) if isinstance(source, str | Path) else None
    here = machine()
    return {
        "run": trained.run.name if trained.run else None,
        "weights": digest_of(found) if isinstance(found, Path) else None,
        "versions": {name: version for name in _LIBRARIES if (version := _version(name))},
        "machine": {"cpu": here.cpu, "instruction_set": instruction_set(here.instructions)},
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "made": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
