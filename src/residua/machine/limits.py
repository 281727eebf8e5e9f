"""How many cores and how much memory this process may use: a container sees its own limits, which no library reads."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from residua.machine.processor import read

# Limit, use, and in memory.stat the file cache that can be dropped: version 2 of the control groups, and version 1.
_MEMORY = {
    None: ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def usable_cores(root: Path = Path("/")) -> int:
    """How many cores this process may keep busy: the least of its affinity and its control groups' quota."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [int(quota) / int(period) for quota, period in _cpu_quotas(root) if int(period) > 0]
    return max(1, min([allowed, *(int(quota) for quota in quotas if quota > 0)]))


def memory(root: Path = Path("/")) -> tuple[int | None, int | None]:
    """Total and available memory in bytes, each the least of the machine's and of every control group's."""
    info = dict(re.findall(r"^(\w+):\s*(\d+) kB$", read(root / "proc/meminfo"), re.MULTILINE))
    totals = [1024 * int(info["MemTotal"])] if "MemTotal" in info else []
    free = [1024 * int(info["MemAvailable"])] if "MemAvailable" in info else []
    if not totals and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        totals = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for limit, used in _memory_limits(root):
        if totals and limit < totals[0]:  # "no limit" is a number larger than any machine
            totals.append(limit)
            free.append(max(0, limit - used))
    return min(totals, default=None), min(free, default=None)


def _cpu_quotas(root: Path) -> Iterator[tuple[str, str]]:
    """Pairs (quota, period) in microseconds, of every control group above this process that sets one."""
    pairs = [[*read(folder / "cpu.max").split(), "", ""][:2] for folder in _groups(root, None)]
    for folder in _groups(root, "cpu"):
        pairs.append([read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")])
    return ((quota, period) for quota, period in pairs if quota.isdecimal() and period.isdecimal())


def _memory_limits(root: Path) -> Iterator[tuple[int, int]]:
    """Pairs (limit, used) in bytes; the file cache that can be dropped does not count as used."""
    for controller, (maximum, current, droppable) in _MEMORY.items():
        for folder in _groups(root, controller):
            limit, used = read(folder / maximum).strip(), read(folder / current).strip()
            cached = re.search(rf"^{droppable} (\d+)$", read(folder / "memory.stat"), re.MULTILINE)
            if limit.isdecimal() and used.isdecimal():
                yield int(limit), max(0, int(used) - int(cached[1] if cached else 0))


def _groups(root: Path, controller: str | None) -> list[Path]:
    """Folders of this process's control group and of those above it: version 2 for None, else version 1's."""
    kind = "cgroup2" if controller is None else "cgroup"
    mounts = [line.split() for line in read(root / "proc/self/mounts").splitlines()]
    tops = [
        words[1]
        for words in mounts
        if len(words) > 3 and words[2] == kind and (controller is None or controller in words[3].split(","))
    ]
    lines = [line.split(":", 2) for line in read(root / "proc/self/cgroup").splitlines()]
    groups = [parts[2] for parts in lines if len(parts) == 3 and (controller or "") in parts[1].split(",")]
    if not tops or not groups:
        return []
    names = [
        name for name in groups[0].split("/") if name not in ("", "..")
    ]  # a container may see a path outside it
    top = root / tops[0].lstrip("/")
    return [top.joinpath(*names[:depth]) for depth in range(len(names), -1, -1)]
