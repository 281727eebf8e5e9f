"""Set residua up in ``.venv`` and run a job there: ``python bootstrap.py demo|test|interop|check [arguments]``.

Needs Python >= 3.11 and nothing beside its standard library. The Makefile calls it; on Windows, call it.
What is installed and unchanged is not installed again; a half-made ``.venv`` is made anew.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "bootstrap.json"  # what is installed; unfinished while an installation runs
INPUTS = ("pyproject.toml", "constraints.txt")
EXTRAS = ("test", "compat", "interop", "openvino", "dev")  # of pyproject.toml, for the jobs below
WORKERS = min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


@dataclass(frozen=True)
class Job:
    """What a word on the command line installs and runs."""

    about: str
    extras: tuple[str, ...]  # of pyproject.toml
    commands: tuple[tuple[str, ...], ...]  # of .venv; a job of one command takes the caller's arguments
    environment: tuple[tuple[str, str], ...] = ()


PYTEST = ("python", "-m", "pytest", "-n", str(WORKERS))
# What needs other people's libraries beside a network; `make test` skips it
WITH_OTHERS = (
    *("tests/interop", "tests/models/test_ecosystem.py", "tests/convert/test_peers.py"),
    *(f"tests/models/test_parity{which}.py" for which in ("", "_by_order", "_dense")),
)
ONE_THREAD = (("OMP_NUM_THREADS", "1"),)  # one core a worker: spinning threads slow each other manyfold

JOBS = {
    "demo": Job("train a residual network on the bundled digits", (), (("residua", "train"),)),
    "test": Job("run the tests", ("test",), (PYTEST,), ONE_THREAD),
    "interop": Job(
        "run docs/interop.md's examples, and compare outputs, with other people's libraries",
        ("compat", "interop", "openvino", "test"),
        ((*PYTEST, *WITH_OTHERS),),
        ONE_THREAD,
    ),
    "check": Job(
        "check lint, format, types and the import contract",
        ("dev", "test"),
        (("ruff", "check"), ("ruff", "format", "--check"), ("pyright",), ("lint-imports",)),
    ),
}

# What pip says when it fails, and the line that the user gets instead.
FULL = "the disk is full (.venv or temporary files): make room and run again"
FAILURES = {
    r"No space left|Errno 28": FULL,
    r"(?i)connection broken|connection error|timed out": "cannot reach the package index: check the network",
    r"requires a different Python": "residua does not run on Python {python}",
    r"(No matching distribution found for|user requested \(constraint\)) (?P<what>\S+)": "found no {what} "
    "for Python {python}: check the network, or try another Python >= 3.11 (such as make PYTHON=python3.11)",
}


class Stop(Exception):
    """One line for the user; the exit code is 1."""


def main(arguments: list[str]) -> int:
    """Run the job that the first argument names; the exit code is the job's."""
    if arguments[:1] in (["-h"], ["--help"]):
        print(_usage())
        return 0
    name, *rest = arguments or [""]
    if name not in JOBS:
        print(_usage(), file=sys.stderr)
        return 2
    job = JOBS[name]
    if rest and len(job.commands) > 1:
        _say(f"{name} takes no arguments, not {' '.join(rest)}")
        return 2
    try:
        if sys.version_info < (3, 11):  # noqa: UP036 - an older one must reach this line
            raise Stop(f"residua needs Python 3.11 or newer; {sys.executable} is {_version()}")
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that pip is not left behind
        set_up(job.extras)
        return max([run([str(BIN / program), *options, *rest], job) for program, *options in job.commands])
    except Stop as stop:
        _say(str(stop))
        return 1
    except OSError as error:
        _say(f"{error.strerror or error}: {error.filename or ROOT}")
        return 1
    except KeyboardInterrupt:
        _say("interrupted; run it again to go on")
        return 130


def set_up(extras: Iterable[str]) -> None:
    """Make ``.venv`` hold residua (editable), its pinned dependencies and those of ``extras``, beside what it holds."""
    with _lock():
        identity = {
            "root": str(ROOT),  # scripts and editable installs do not survive a move of the folder
            "inputs": hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in INPUTS)).hexdigest(),
            "python": sys.implementation.cache_tag,
        }
        stamp = _read_stamp()
        same = all(stamp.get(key, identity[key]) == identity[key] for key in ("root", "python"))
        if not same or stamp.get("unfinished") or not _works():
            _make_environment()
            stamp = {}
        wanted = {**identity, "extras": sorted({*stamp.get("extras", []), *extras})}
        if stamp != wanted:
            _write_stamp({"unfinished": True})
            try:
                _install(wanted["extras"])
            except Stop:
                if stamp:  # pip has put back what it replaced
                    _write_stamp(stamp)
                raise
            _write_stamp(wanted)


def run(command: list[str], job: Job) -> int:
    """Run ``command`` in the checkout and wait, however often Ctrl-C is pressed: it may be saving."""
    process = subprocess.Popen(command, cwd=ROOT, env={**_environment(), **dict(job.environment)})
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    while True:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            continue
        return code if code >= 0 else 128 - code  # as a shell reports a signal


def _make_environment() -> None:
    if VENV.exists():
        _say("removing .venv: it is broken, half made, or of another Python or folder")
        shutil.rmtree(VENV)
    _say(f"making .venv with Python {_version()}")
    VENV.mkdir()
    _write_stamp({"unfinished": True})
    output = ""
    for command in _makers():
        made = subprocess.run([*command, str(VENV)], env=_environment(), capture_output=True, text=True)
        if made.returncode == 0 and _works():
            return
        output += made.stdout + made.stderr
    if output:
        raise Stop(_reason(output) or f"cannot make .venv:\n{output.rstrip()}")
    raise Stop(
        "this Python has no ensurepip to make .venv with, and neither uv nor virtualenv is here; "
        f"on Debian and Ubuntu: sudo apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    )


def _makers() -> Iterator[list[str]]:
    """Commands that make a virtual environment with pip, the best first; the folder is still to be added."""
    if importlib.util.find_spec("ensurepip"):  # Debian and Ubuntu leave it out of python3
        yield [sys.executable, "-m", "venv"]
    if uv := shutil.which("uv"):
        yield [uv, "venv", "--quiet", "--seed", "--allow-existing", "--python", sys.executable]
    if virtualenv := shutil.which("virtualenv"):
        yield [virtualenv, "--quiet", "--python", sys.executable]


def _install(extras: list[str]) -> None:
    target = f".[{','.join(extras)}]" if extras else "."
    _say(f"installing residua{target[1:]} (the first time takes a while: torch is large)")
    verbosity = [] if sys.stderr.isatty() else ["--quiet"]
    pip = subprocess.run(
        [str(PYTHON), "-m", "pip", "install", *verbosity, "--editable", target, "-c", "constraints.txt"],
        cwd=ROOT,
        env=_environment(),
        stdout=sys.stderr,  # stdout is for the result of the job
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    if pip.returncode:
        raise Stop(_reason(pip.stderr) or f"pip failed:\n{pip.stderr.rstrip()}")


def _reason(output: str) -> str | None:
    for pattern, line in FAILURES.items():
        if match := re.search(pattern, output):
            return line.format(python=_version(), **match.groupdict())
    return FULL if shutil.disk_usage(ROOT).free < 2**24 else None  # ensurepip keeps its reason to itself


def _works() -> bool:
    """Whether ``.venv`` is a virtual environment whose Python runs, is new enough and has pip."""
    code = "import sys, pip; sys.exit(sys.prefix == sys.base_prefix or sys.version_info < (3, 11))"
    with contextlib.suppress(OSError):
        return subprocess.run([str(PYTHON), "-I", "-c", code], capture_output=True).returncode == 0
    return False


def _read_stamp() -> dict[str, Any]:
    """What was installed: empty for an environment that is the user's own, unfinished for a damaged stamp."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        return {"unfinished": True}
    extras = stamp.get("extras", []) if isinstance(stamp, dict) else None
    known = isinstance(extras, list) and all(extra in EXTRAS for extra in extras)
    return stamp if known else {"unfinished": True}


def _write_stamp(stamp: dict[str, Any]) -> None:
    temporary = STAMP.with_suffix(".tmp")
    temporary.write_text(json.dumps(stamp), encoding="utf-8")
    temporary.replace(STAMP)


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    """Let one set-up at a time work in this folder. The lock is on this very file: nothing is left."""
    with Path(__file__).open("rb+") as file:
        if not _try_lock(file.fileno(), wait=False):
            _say("another set-up works in this folder; waiting for it")
            while not _try_lock(file.fileno(), wait=True):
                pass
        yield


def _try_lock(handle: int, *, wait: bool) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, 1 << 30, os.SEEK_SET)  # beyond the end: nobody may read a byte locked here
            msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        if sys.platform == "win32" and error.errno == errno.EDEADLK:  # LK_LOCK gives up after ten seconds
            return False
        raise
    return True


def _environment() -> dict[str, str]:
    """This process's environment as if ``.venv`` were active, without what leads Python or pip out of it."""
    astray = ("PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__", "PIP_TARGET", "PIP_PREFIX")
    kept = {key: value for key, value in os.environ.items() if key not in astray}
    return {
        **kept,
        "VIRTUAL_ENV": str(VENV),
        "PATH": os.pathsep.join([str(BIN), kept.get("PATH", os.defpath)]),
        "PIP_USER": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        # These pin the build tools, for older and newer pip. Relative, because pip splits them at spaces.
        "PIP_CONSTRAINT": "constraints.txt",
        "PIP_BUILD_CONSTRAINT": "constraints.txt",
    }


def _version() -> str:
    return ".".join(map(str, sys.version_info[:3]))


def _say(line: str) -> None:
    print(f"bootstrap: {line}", file=sys.stderr, flush=True)


def _usage() -> str:
    jobs = "\n".join(f"  {name:8} {job.about}" for name, job in JOBS.items())
    return f"usage: python bootstrap.py {'|'.join(JOBS)} [arguments of the job]\n{jobs}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
