"""The most memory that this process held at a time, in bytes: its pages on a CPU, torch's tensors on a GPU.

Linux forgets the mark when it is asked to; other systems know the most since the process began, and Windows nothing.
"""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from pathlib import Path

from residua.machine.processor import read

_STATUS, _FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def forget_peak(device: str = "cpu") -> bool:
    """Begin anew, from what is held now. False: the mark stays where it is."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats(device)
        return True
    with suppress(OSError):
        _FORGET.write_text("5")  # proc(5): the peak of the resident set
        return True
    return False


def peak(device: str = "cpu") -> int | None:
    """The most that was held since ``forget_peak``; None where the system does not say."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated(device)
    marked = _marked("VmHWM")
    if marked is not None or sys.platform == "win32":
        return marked
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def held(device: str = "cpu") -> int | None:
    """What is held now; None where the system does not say."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.memory_allocated(device)
    return _marked("VmRSS")


def _marked(name: str) -> int | None:
    found = re.search(rf"^{name}:\s*(\d+) kB$", read(_STATUS), re.MULTILINE)
    return 1024 * int(found[1]) if found else None
