"""The processor: its name, its cores, and the instruction sets that decide how fast convolutions run."""

from __future__ import annotations

import platform
import re
from collections.abc import Collection
from pathlib import Path

# As /proc/cpuinfo spells them (x86, then ARM).
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


def instruction_set(instructions: Collection[str]) -> str:
    """The class of machines that has these instructions, ``"avx2"`` say; ``"baseline"`` if it has none that count."""
    return next((name for name, flag in CLASSES.items() if flag in instructions), "baseline")


def cpu_name(root: Path = Path("/")) -> str:
    """What the processor is called."""
    names = re.findall(
        r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", read(root / "proc/cpuinfo"), re.MULTILINE
    )
    return names[0].strip() if names else platform.processor() or platform.machine()


def instructions(root: Path = Path("/")) -> tuple[str, ...]:
    """Which of the instruction sets that count it has."""
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", read(root / "proc/cpuinfo"), re.MULTILINE)
    present = set(flags[1].split()) if flags else _instructions_of_torch()
    return tuple(name for name in (*X86, *ARM) if name in present)


def _instructions_of_torch() -> set[str]:
    import torch

    spelled = {"avx512_f": "avx512f"}  # torch's names where they differ from Linux's
    if hasattr(torch.cpu, "get_capabilities"):
        return {spelled.get(name, name) for name, has in torch.cpu.get_capabilities().items() if has is True}
    level = torch.backends.cpu.get_cpu_capability()
    return {"AVX2": {"avx2"}, "AVX512": {"avx2", "avx512f"}}.get(level, set())


def physical_cores(root: Path = Path("/")) -> int | None:
    """Cores, each counted once; None where the system does not say."""
    text = read(root / "proc/cpuinfo")
    cores = re.findall(r"^physical id\s*:\s*(\d+)$.*?^core id\s*:\s*(\d+)$", text, re.MULTILINE | re.DOTALL)
    return len(set(cores)) or None


def read(path: Path) -> str:
    """A text file of the system; empty where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return ""
