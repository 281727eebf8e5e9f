"""The C++ compiler that torch.compile uses on a CPU: looked for as it does, and tried."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

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
class Compiler:
    """The C++ compiler that torch.compile would use on the CPU; ``problem`` is None if it works."""

    name: str
    version: str | None
    problem: str | None = None


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
