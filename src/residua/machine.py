"""What this machine is: processor, memory, compiler, GPU, versions. Imports torch only inside functions.

On Linux everything is read from /proc and the control groups, so that a container sees its own limits;
elsewhere from Python and torch, and what they do not tell is None.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Collection
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

# Instruction sets that decide how fast convolutions run, as /proc/cpuinfo spells them (x86, then ARM).
X86 = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8")
ARM = ("asimd", "asimddp", "bf16", "i8mm", "sve", "sve2")
FAST_BF16 = {"avx512_bf16", "amx_bf16", "bf16"}
# Classes of machines whose speeds can be compared: the strongest set that a processor has, by one of its flags.
CLASSES = {
    "amx": "amx_bf16",
    "avx512_bf16": "avx512_bf16",
    "avx512": "avx512f",
    "avx2": "avx2",
    "sve2": "sve2",
    "neon_bf16": "bf16",
    "neon": "asimd",
}

PROBE = """
#include <Python.h>
#include <omp.h>
extern "C" int residua_probe(void) { return omp_get_max_threads(); }
"""
# What a C++ compiler says when it cannot do the job, and what that means.
PROBE_FAILURES = {
    r"Python\.h": "Python's headers (on Debian and Ubuntu: python3-dev)",
    r"omp\.h|openmp": "OpenMP (on Debian and Ubuntu: libgomp1 or libomp-dev)",
}


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
class Compiler:
    """The C++ compiler that torch.compile would use on the CPU; ``problem`` is None if it works."""

    name: str
    version: str | None
    problem: str | None = None


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


def instruction_set(instructions: Collection[str]) -> str:
    """The class of machines that has these instructions, ``"avx2"`` say; ``"baseline"`` if it has none that count."""
    return next((name for name, flag in CLASSES.items() if flag in instructions), "baseline")


@cache
def machine() -> Machine:
    """The machine, looked at once per process (``memory_available`` is of that moment)."""
    total, available = _memory()
    return Machine(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        cpu=_cpu_name(),
        instructions=_instructions(),
        logical_cores=os.cpu_count(),
        physical_cores=_physical_cores(),
        usable_cores=usable_cores(),
        memory=total,
        memory_available=available,
        compiler=compiler(),
        gpus=_gpus(),
        versions=_versions(),
        extras={name: None not in parts.values() for name, parts in extras().items()},
    )


def describe_machine() -> dict[str, Any]:
    """The machine as JSON values, for ``env.json`` and evidence: no host name, no user name, no path."""
    found = machine()
    return {**asdict(found), "has_fast_bf16": found.has_fast_bf16}


def usable_cores(root: Path = Path("/")) -> int:
    """How many cores this process may keep busy: the least of its affinity and its control groups' quota."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [int(quota) / int(period) for quota, period in _cpu_quotas(root) if int(period) > 0]
    return max(1, min([allowed, *(int(quota) for quota in quotas if quota > 0)]))


@cache
def compiler() -> Compiler:
    """Look for the C++ compiler that torch.compile uses on a CPU and try it, once per process.

    It must compile a shared library with OpenMP against Python's headers: that is what inductor asks of it.
    """
    name = os.environ.get("CXX") or {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    shown = Path(name).name
    try:
        version = _first_line([name, "--version"])
        with tempfile.TemporaryDirectory(prefix="residua-probe-") as folder:
            source = Path(folder) / "probe.cpp"
            source.write_text(PROBE, encoding="utf-8")
            ran = subprocess.run(
                [name, *_probe_flags(), str(source)], cwd=folder, capture_output=True, text=True, timeout=60
            )
    except FileNotFoundError:
        return Compiler(name=shown, version=None, problem="not found")
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError) as error:
        return Compiler(name=shown, version=None, problem=f"cannot be tried ({error.__class__.__name__})")
    if ran.returncode == 0:
        return Compiler(name=shown, version=version)
    for pattern, what in PROBE_FAILURES.items():
        if re.search(pattern, ran.stderr + ran.stdout):
            return Compiler(name=shown, version=version, problem=f"it lacks {what}")
    return Compiler(name=shown, version=version, problem="it cannot compile a small file")


@cache
def extras() -> dict[str, dict[str, str | None]]:
    """For each extra of residua's package: its distributions and their versions (None: not installed).

    Read from the installed metadata; empty where residua runs from a folder without being installed.
    """
    table: dict[str, dict[str, str | None]] = {}
    for requirement in _requirements():
        match = re.search(r"extra\s*==\s*['\"]([\w.-]+)", requirement)
        if match and not requirement.startswith("residua"):
            name = _distribution(requirement)
            table.setdefault(match[1], {})[name] = _version(name)
    return table


def _probe_flags() -> list[str]:
    include = sysconfig.get_path("include")
    if sys.platform == "win32":
        return ["/nologo", "/LD", "/openmp", f"/I{include}"]
    openmp = (
        ["-Xclang", "-fopenmp", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-fopenmp"]
    )
    return ["-shared", "-fPIC", *openmp, f"-I{include}", "-o", "probe.so"]


def _first_line(command: list[str]) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return next(iter((ran.stdout or ran.stderr).splitlines()), "").strip()


def _versions() -> dict[str, str]:
    needed = [_distribution(line) for line in _requirements() if "extra" not in line]
    names = ["residua", "torch", "numpy", *needed]
    found = {name: _version(name) for name in dict.fromkeys(names)}
    return {name: version for name, version in found.items() if version is not None}


def _requirements() -> list[str]:
    try:
        return importlib.metadata.requires("residua") or []
    except importlib.metadata.PackageNotFoundError:
        return []


def _distribution(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _gpus() -> tuple[Gpu, ...]:
    import torch

    if not torch.cuda.is_available():
        return ()
    seen = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return tuple(
        Gpu(name=p.name, memory=p.total_memory, capability=(p.major, p.minor), cuda=torch.version.cuda)
        for p in seen
    )


def _cpu_name(root: Path = Path("/")) -> str:
    names = re.findall(
        r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", _read(root / "proc/cpuinfo"), re.MULTILINE
    )
    return names[0].strip() if names else platform.processor() or platform.machine()


def _instructions(root: Path = Path("/")) -> tuple[str, ...]:
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", _read(root / "proc/cpuinfo"), re.MULTILINE)
    present = set(flags[1].split()) if flags else _instructions_of_torch()
    return tuple(name for name in (*X86, *ARM) if name in present)


def _instructions_of_torch() -> set[str]:
    import torch

    spelled = {"avx512_f": "avx512f"}  # torch's names where they differ from Linux's
    if hasattr(torch.cpu, "get_capabilities"):
        return {spelled.get(name, name) for name, has in torch.cpu.get_capabilities().items() if has is True}
    level = torch.backends.cpu.get_cpu_capability()
    return {"AVX2": {"avx2"}, "AVX512": {"avx2", "avx512f"}}.get(level, set())


def _physical_cores(root: Path = Path("/")) -> int | None:
    text = _read(root / "proc/cpuinfo")
    cores = re.findall(r"^physical id\s*:\s*(\d+)$.*?^core id\s*:\s*(\d+)$", text, re.MULTILINE | re.DOTALL)
    return len(set(cores)) or None


def _memory(root: Path = Path("/")) -> tuple[int | None, int | None]:
    """Total and available memory in bytes, each the least of the machine's and of every control group's."""
    info = dict(re.findall(r"^(\w+):\s*(\d+) kB$", _read(root / "proc/meminfo"), re.MULTILINE))
    totals = [1024 * int(info["MemTotal"])] if "MemTotal" in info else []
    free = [1024 * int(info["MemAvailable"])] if "MemAvailable" in info else []
    if not totals and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        totals = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for limit, used in _memory_limits(root):
        if totals and limit < totals[0]:  # "no limit" is a number larger than any machine
            totals.append(limit)
            free.append(max(0, limit - used))
    return min(totals, default=None), min(free, default=None)


def _cpu_quotas(root: Path) -> list[tuple[str, str]]:
    """Pairs (quota, period) in microseconds, of every control group above this process that sets one."""
    pairs = [[*_read(folder / "cpu.max").split(), "", ""][:2] for folder in _groups(root, None)]
    for folder in _groups(root, "cpu"):
        pairs.append(
            [_read(folder / "cpu.cfs_quota_us").strip(), _read(folder / "cpu.cfs_period_us").strip()]
        )
    return [(quota, period) for quota, period in pairs if quota.isdecimal() and period.isdecimal()]


def _memory_limits(root: Path) -> list[tuple[int, int]]:
    """Pairs (limit, used) in bytes; the file cache that can be dropped does not count as used."""
    files = [(folder, "memory.max", "memory.current", "inactive_file") for folder in _groups(root, None)]
    files += [
        (folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        for folder in _groups(root, "memory")
    ]
    limits = []
    for folder, maximum, current, droppable in files:
        limit, used = _read(folder / maximum).strip(), _read(folder / current).strip()
        cached = re.search(rf"^{droppable} (\d+)$", _read(folder / "memory.stat"), re.MULTILINE)
        if limit.isdecimal() and used.isdecimal():
            limits.append((int(limit), max(0, int(used) - int(cached[1] if cached else 0))))
    return limits


def _groups(root: Path, controller: str | None) -> list[Path]:
    """Folders of this process's control group and of those above it: version 2 for None, else version 1's."""
    kind = "cgroup2" if controller is None else "cgroup"
    mount = next(
        (
            fields[1]
            for fields in map(str.split, _read(root / "proc/self/mounts").splitlines())
            if len(fields) > 3
            and fields[2] == kind
            and (controller is None or controller in fields[3].split(","))
        ),
        None,
    )
    group = next(
        (
            parts[2]
            for parts in (line.split(":", 2) for line in _read(root / "proc/self/cgroup").splitlines())
            if len(parts) == 3
            and (parts[1] == "" if controller is None else controller in parts[1].split(","))
        ),
        None,
    )
    if mount is None or group is None:
        return []
    top = root / mount.lstrip("/")
    names = [
        name for name in group.split("/") if name not in ("", "..")
    ]  # a container may see a path outside it
    return [top.joinpath(*names[:depth]) for depth in range(len(names), -1, -1)]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return ""
