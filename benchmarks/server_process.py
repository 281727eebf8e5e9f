"""`residua serve` in a process of its own, seen from outside: its address, its workers, its memory. Linux alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class ServerProcess:
    """A server that has started; ``arguments`` are those of the command, without the port."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, "-m", "residua", "serve", *map(str, arguments), "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line.startswith("serving "):
            raise RuntimeError(f"it did not start: {line}")
        self.address = line.split()[-1]

    def workers(self) -> list[int]:
        """Process ids of its workers."""
        return [number for number, parent in _spawned() if parent == self.process.pid]

    def resident(self) -> int:
        """Bytes of memory that it and its workers have."""
        return sum(map(_resident, [self.process.pid, *self.workers()]))

    def end(self) -> None:
        """End it, if it has not ended."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()


@contextmanager
def serving(*arguments: object) -> Iterator[ServerProcess]:
    """A server that is gone afterwards."""
    server = ServerProcess(*arguments)
    try:
        yield server
    finally:
        server.end()


def _spawned() -> Iterator[tuple[int, int]]:
    """Processes that multiprocessing has started, with their parents."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes()
        except OSError:  # it has ended meanwhile
            continue
        if b"spawn_main" in command:
            yield int(folder.name), parent


def _resident(process: int) -> int:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return 1024 * int(line.split()[1])
    return 0
