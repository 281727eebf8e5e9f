"""What this machine is: processor, memory, compiler, GPU, versions. Imports torch only inside functions.

On Linux everything is read from /proc and the control groups, so that a container sees its own limits (psutil would
tell those of the whole machine); elsewhere from Python and torch, and what they do not tell is None.
"""

from __future__ import annotations

import os
import platform
import re
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from residua.machine.cxx import Compiler, compiler
from residua.machine.limits import memory, usable_cores
from residua.machine.packages import extras, versions
from residua.machine.processor import FAST_BF16, cpu_name, instruction_set, instructions, physical_cores

__all__ = [
    "Compiler",
    "Gpu",
    "Machine",
    "compiler",
    "describe_machine",
    "extras",
    "instruction_set",
    "machine",
    "machine_class",
    "usable_cores",
]


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One CUDA device; memory in bytes."""

    name: str
    memory: int
    capability: tuple[int, int]
    cuda: str | None

    @property
    def has_fast_bf16(self) -> bool:
        """Whether its tensor cores multiply bfloat16."""
        return self.capability >= (8, 0)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The machine as this process may use it. Memory is in bytes; None is unknown."""

    system: str
    python: str
    cpu: str
    instructions: tuple[str, ...]
    logical_cores: int | None
    physical_cores: int | None
    usable_cores: int  # after affinity and the control groups' quota
    memory: int | None  # after the control groups' limit
    memory_available: int | None
    compiler: Compiler
    gpus: tuple[Gpu, ...]
    versions: dict[str, str]  # of residua and of what it always needs
    extras: dict[str, bool]  # whether each extra of the package is fully installed

    @property
    def has_fast_bf16(self) -> bool:
        """Whether the processor multiplies bfloat16 in hardware, so that bf16 training is worth trying."""
        return bool(FAST_BF16 & set(self.instructions))


@cache
def machine() -> Machine:
    """The machine, looked at once per process (``memory_available`` is of that moment)."""
    total, available = memory()
    return Machine(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        cpu=cpu_name(),
        instructions=instructions(),
        logical_cores=os.cpu_count(),
        physical_cores=physical_cores(),
        usable_cores=usable_cores(),
        memory=total,
        memory_available=available,
        compiler=compiler(),
        gpus=_gpus(),
        versions=versions(),
        extras={name: None not in parts.values() for name, parts in extras().items()},
    )


def machine_class() -> str:
    """The class of machines whose speeds can be compared with this one's: its GPU, else its instruction set."""
    found = machine()
    if found.gpus:
        return "-".join(re.findall("[a-z0-9]+", found.gpus[0].name.lower()))
    return instruction_set(found.instructions)


def describe_machine() -> dict[str, Any]:
    """The machine as JSON values, for ``env.json`` and evidence: no host name, no user name, no path."""
    found = machine()
    return {**asdict(found), "has_fast_bf16": found.has_fast_bf16}


def _gpus() -> tuple[Gpu, ...]:
    import torch

    if not torch.cuda.is_available():
        return ()
    seen = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return tuple(
        Gpu(name=p.name, memory=p.total_memory, capability=(p.major, p.minor), cuda=torch.version.cuda)
        for p in seen
    )
