"""Start the processes of a training on this machine, watch them, and start them again if one is killed.

``residua train --processes N`` is this. What the environment of a process says is torchrun's (RANK, WORLD_SIZE,
LOCAL_RANK, LOCAL_WORLD_SIZE), so that ``torchrun -m residua train`` starts the same processes on many machines. They
meet at a file, not at a port that somebody else may take. Needs no torch: one process less that imports it.

torch's own agent (``torch.distributed.run``) starts all of them again whatever one ended with; here only what may pass
(a signal that nobody sent on purpose, a lost connection) is tried again, and a wrong flag is said once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from residua.errors import ResiduaError, UsageError

MEETING = "RESIDUA_MEETING"  # the file at which the processes of one launch meet
GO_ON = "RESIDUA_GO_ON"  # the run folder that they go on with, of a launch after a kill
LOST = 75  # the exit code of a process that has lost another (EX_TEMPFAIL): it is not to blame
RESTARTS = 3
_MOST = 1024
_GRACE = 3.0  # seconds that the others have to notice that one of them has ended
_STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def asked_for(environment: Mapping[str, str] = os.environ) -> tuple[int, int] | None:
    """(rank, count) of this process, if the environment says that it is one of several. Raises UsageError."""
    if environment.get("WORLD_SIZE", "1") == "1" or not {"RANK", "WORLD_SIZE"} <= {*environment}:
        return None
    if MEETING not in environment and "MASTER_ADDR" not in environment:
        return None
    rank, count = _number(environment, "RANK", 0), _number(environment, "WORLD_SIZE", 1)
    if rank >= count:
        raise UsageError(f"RANK={rank} is not below WORLD_SIZE={count}: start the processes with torchrun")
    return rank, count


def processes_here(environment: Mapping[str, str] = os.environ) -> int:
    """How many processes of the training this machine has: they share its cores."""
    return _number(environment, "LOCAL_WORLD_SIZE", 1) if asked_for(environment) else 1


def launched() -> bool:
    """Whether this process was started by ``Launch``, which says what went wrong for all of them."""
    return MEETING in os.environ


def tell_launch(run: Path) -> None:
    """Tell the launch, if there is one, which run is trained: should a process be killed, it goes on with it."""
    if launched():
        Path(os.environ[MEETING]).with_name("run").write_bytes(os.fsencode(run.resolve()))


def _number(environment: Mapping[str, str], name: str, least: int) -> int:
    text = environment.get(name, "1")
    if not text.isdecimal() or int(text) < least:
        raise UsageError(f"{name}={text!r} in the environment is not a number of processes")
    return int(text)


class Launch:
    """``count`` processes of one command, until all have ended well, or it cannot be mended.

    Raises UsageError for a count that makes no sense.
    """

    def __init__(self, command: Sequence[str], count: int) -> None:
        if not 2 <= count <= _MOST:
            raise UsageError(f"--processes must be from 2 to {_MOST}, not {count}")
        self._command = list(command)
        self._count = count
        self._asked: int | None = None  # the signal that we were asked to stop by
        self._first: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        """Run to the end and return the exit code. What the first process writes is shown as it comes.

        Raises ResiduaError with the line of the process that failed, if that is not the first, which says its own.
        """
        before = {number: signal.signal(number, self._on_signal) for number in _ours()}
        try:
            with tempfile.TemporaryDirectory(prefix="residua-") as name:
                folder = Path(name)
                why = ""
                for attempt in range(RESTARTS + 1):
                    ended = self._attempt(folder, attempt)
                    blamed = _to_blame(ended)
                    if blamed is None:
                        return 0
                    if self._asked is not None or ended[blamed] not in _passing(ended):
                        return self._said(folder, attempt, blamed, ended[blamed])
                    why = f"process {blamed} of {self._count} was ended ({_named(ended[blamed])})"
                    if attempt < RESTARTS:
                        print(f"{why}: all start again", file=sys.stderr, flush=True)
                raise ResiduaError(f"{why}, {RESTARTS + 1} times: given up (is there enough memory?)")
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _attempt(self, folder: Path, attempt: int) -> list[int]:
        """Start all of them, and return what each ended with. When one has failed, the others are ended."""
        started = [self._start(folder, attempt, rank) for rank in range(self._count)]
        self._first = started[0]
        failed_at = None
        try:
            while None in (codes := [process.poll() for process in started]):
                if failed_at is None and any(codes):
                    failed_at = time.monotonic()
                if failed_at is not None and time.monotonic() > failed_at + _GRACE:
                    break
                time.sleep(0.02)
        finally:
            for process in started:
                if process.poll() is None:
                    process.kill()
                process.wait()
                if process.stdin is not None:
                    process.stdin.close()
        return [LOST if code is None else code for code in codes]

    def _start(self, folder: Path, attempt: int, rank: int) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(self._count),
            "LOCAL_WORLD_SIZE": str(self._count),
            MEETING: str(folder / f"meeting{attempt}"),
        }
        if sys.platform == "linux":
            environment.setdefault("GLOO_SOCKET_IFNAME", "lo")  # nobody outside has anything to say to them
        with suppress(OSError):
            environment[GO_ON] = os.fsdecode((folder / "run").read_bytes())
        said: IO[bytes] | None = None if rank == 0 else (folder / f"said{attempt}.{rank}").open("wb")
        try:
            return subprocess.Popen(
                self._command,
                env=environment,
                stdin=subprocess.PIPE,  # which ends when we do, however we do
                stdout=None if rank == 0 else subprocess.DEVNULL,
                stderr=said,
                # so that Ctrl-C comes to us alone, who pass it on once
                process_group=0 if os.name == "posix" else None,
            )
        finally:
            if said is not None:
                said.close()

    def _on_signal(self, number: int, _frame: object) -> None:
        """Pass it on to the first process: at the next step all of them agree to stop."""
        self._asked = number
        if self._first is not None and self._first.poll() is None:
            self._first.send_signal(number)

    def _said(self, folder: Path, attempt: int, rank: int, code: int) -> int:
        """The exit code of the process that failed, whose own line is said if nobody has seen it yet."""
        if rank and self._asked is None:
            text = (folder / f"said{attempt}.{rank}").read_text(errors="replace").strip()
            line = text.splitlines()[-1].removeprefix("residua: ") if text else f"it ended with {code}"
            error = ResiduaError(f"process {rank} of {self._count}: {line}")
            error.exit_code = code if code > 0 else 1
            raise error
        return code if code >= 0 else 128 - code


def _to_blame(ended: Sequence[int]) -> int | None:
    """Who failed first: not one that only lost another. None if nobody did."""
    failed = [rank for rank, code in enumerate(ended) if code]
    return next((rank for rank in failed if ended[rank] != LOST), failed[0] if failed else None)


def _passing(ended: Sequence[int]) -> set[int]:
    """The exit codes after which it is worth starting again."""
    return {code for code in ended if code < 0 or code == LOST}


def _named(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else "it lost the others"


def _ours() -> list[int]:
    """The signals to pass on: those that nobody has asked to ignore (nohup), in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return []
    return [number for number in _STOPPING if signal.getsignal(number) is not signal.SIG_IGN]


def end_with_launch() -> None:
    """Stop as after Ctrl-C when the launch that started this process is gone: nobody would watch it any more."""

    def watch() -> None:
        with suppress(OSError):
            while os.read(0, 1):  # not sys.stdin, whose lock Python wants at its end
                pass
        os.kill(os.getpid(), signal.SIGTERM)

    if launched():
        threading.Thread(target=watch, daemon=True).start()
