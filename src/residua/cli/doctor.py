"""``residua doctor``: what this machine has, what that means for training, and how to get what is missing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from residua.cli.say import note, say, say_json
from residua.machine import Machine, describe_machine, extras, machine
from residua.machine.cache import PLACE, cache_folder, empty, kept

SCHEMA = 1

# Of the extras, those that serve users; `make` installs the others by itself.
EXTRA_USES = {
    "track": "TensorBoard logs while training",
    "sklearn": "ResidualClassifier and ResidualRegressor, estimators of scikit-learn",
    "ray": "grids of experiments on a cluster",
    "parquet": "images in Hugging Face parquet files",
    "remote": "tar shards at http:// and https:// URLs",
    "heic": "HEIC and HEIF photos",
    "video": "what is on the frames of a video",
    "serve": "residua serve and residua ui",
    "compat": "comparisons with torchvision and timm",
    "export": "residua export --format onnx",
    "openvino": "residua export --format openvino, and its int8",
    "interop": "the examples of docs/interop.md",
}


@dataclass(frozen=True)
class Remark:
    """One line of the diagnosis; ``missing`` is something that would help and can be had."""

    subject: str
    status: Literal["ok", "note", "missing"]
    found: str
    meaning: str


def doctor(
    *, json: bool = False, empty_cache: Annotated[bool, Parameter(name="--empty-cache", negative="")] = False
) -> None:
    """Say what this machine has, what it means for training, and how to get what is missing.

    Args:
        json: print one JSON object instead of the table.
        empty_cache: remove the compiled code and the timings that are kept from one run to the next, first.
    """
    if empty_cache:
        note(f"removed {_mib(empty())} from {cache_folder()}")
    findings = list(diagnose(machine()))
    if json:
        say_json({"schema": SCHEMA, "machine": describe_machine(), "findings": [asdict(f) for f in findings]})
    elif sys.stdout.isatty():
        _print_table(findings)
    else:
        for finding in findings:
            say(f"{finding.status:8}{finding.subject}: {finding.found}: {finding.meaning}")


def diagnose(found: Machine) -> Iterator[Remark]:
    """What a machine's parts mean for the user."""
    yield _versions(found)
    yield _processor(found)
    yield _threads(found)
    yield _memory(found)
    yield _compiler(found)
    yield _cache()
    yield _gpu(found)
    yield from _extras()


def _versions(found: Machine) -> Remark:
    known = [
        f"{name} {found.versions[name]}" for name in ("residua", "torch", "numpy") if name in found.versions
    ]
    return Remark("versions", "ok", ", ".join([f"Python {found.python}", *known]), f"on {found.system}")


def _processor(found: Machine) -> Remark:
    said = f"{found.cpu} ({' '.join(found.instructions) or 'no vector instructions that torch uses'})"
    if found.has_fast_bf16:
        meaning = "bfloat16 in hardware: --precision bf16 can be faster than float32"
        return Remark("processor", "ok", said, meaning)
    return Remark("processor", "note", said, "no bfloat16 in hardware: training stays in float32")


def _threads(found: Machine) -> Remark:
    import torch

    threads, usable = torch.get_num_threads(), found.usable_cores
    said = (
        f"torch uses {threads} of {usable} usable cores ({found.logical_cores or 'unknown'} in the machine)"
    )
    if threads < usable:
        cause = "OMP_NUM_THREADS" if os.environ.get("OMP_NUM_THREADS") else "the process's own setting"
        return Remark(
            "threads", "note", said, f"{cause} holds torch back; unset it or give --threads {usable}"
        )
    if threads > usable:
        meaning = f"more threads than cores slow each other down; give --threads {usable}"
        return Remark("threads", "note", said, meaning)
    return Remark("threads", "ok", said, "all cores that this process may use")


def _memory(found: Machine) -> Remark:
    said = f"{_gib(found.memory_available)} available of {_gib(found.memory)}"
    meaning = "holds the images, the network and its activations; if it runs short, lower --batch-size"
    return Remark("memory", "ok", said, meaning)


def _compiler(found: Machine) -> Remark:
    compiler = found.compiler
    said = compiler.version or compiler.name
    if compiler.problem is None:
        return Remark("compiler", "ok", said, "torch.compile works on the CPU")
    remedy, said = "install what it lacks", f"{said}: {compiler.problem}"
    if compiler.problem == "not found":
        said = f"no C++ compiler ({compiler.name} not found)"
        remedy = (
            "install g++ (Debian, Ubuntu: sudo apt install g++ python3-dev; macOS: xcode-select --install)"
        )
    return Remark("compiler", "missing", said, f"training on the CPU is not compiled; {remedy}")


def _cache() -> Remark:
    cache = kept()
    if cache.problem:
        meaning = f"code is compiled anew in every process; {PLACE}=FOLDER names another place"
        return Remark("cache", "note", cache.problem, meaning)
    said = f"{cache.path}: {_mib(cache.size)}, code of {cache.compiled} networks, timings of {cache.timed}"
    return Remark("cache", "ok", said, "what is compiled or timed once is there the next time; --empty-cache")


def _gpu(found: Machine) -> Remark:
    if not found.gpus:
        meaning = "training runs on the CPU; for an NVIDIA card install its driver and a CUDA build of torch"
        return Remark("gpu", "note", "none that torch can use", meaning)
    said = "; ".join(
        f"{gpu.name}, {_gib(gpu.memory)}, capability {gpu.capability[0]}.{gpu.capability[1]}, CUDA {gpu.cuda}"
        for gpu in found.gpus
    )
    fast = all(gpu.has_fast_bf16 for gpu in found.gpus)
    return Remark(
        "gpu", "ok", said, f"training runs here{', in bf16' if fast else '; no bfloat16 in hardware'}"
    )


def _extras() -> Iterator[Remark]:
    table = extras()
    if not table:
        meaning = "residua runs from a folder; pip install . lets it see its extras"
        yield Remark("extras", "note", "residua is not installed", meaning)
    for name, use in EXTRA_USES.items():
        parts = table.get(name, {})
        if lacking := [part for part, version in parts.items() if version is None]:
            meaning = f"for {use}; in the checkout: pip install -c constraints.txt -e '.[{name}]'"
            yield Remark(f"extra {name}", "missing", f"without {', '.join(lacking)}", meaning)
        elif parts:
            yield Remark(f"extra {name}", "ok", ", ".join(f"{p} {v}" for p, v in parts.items()), use)


def _gib(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 2**30:.1f} GiB"


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


def _print_table(findings: list[Remark]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text  # plain text: .[track] is no markup

    colours = {"ok": "green", "note": "yellow", "missing": "red"}
    table = Table("", "found", "what it means", box=None)
    for finding in findings:
        table.add_row(
            Text(finding.subject, style=colours[finding.status]), Text(finding.found), Text(finding.meaning)
        )
    Console().print(table)
