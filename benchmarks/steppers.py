"""Processes that wait to be asked for steps, so that a benchmark can time several of them in turns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any


class Steppers:
    """Processes that do what they are asked all at once."""

    def __init__(self, processes: Sequence[subprocess.Popen[str]]) -> None:
        self._processes = processes

    def step(self) -> None:
        """Have each take a step, and wait for all."""
        self.ask("step")

    def ask(self, what: str) -> Any:
        """Have each do something, wait for all, and return what the first answers. Raises SystemExit if one ends."""
        for process in self._processes:
            assert process.stdin
            print(what, file=process.stdin, flush=True)
        answers = [process.stdout.readline() for process in self._processes if process.stdout]
        if not all(answers):
            raise SystemExit("a process of the benchmark has ended")
        return json.loads(answers[0])


@contextmanager
def steppers(
    module: str, arguments: Sequence[object], environments: Sequence[Mapping[str, str]]
) -> Iterator[Steppers]:
    """A process for each of the environments, which run ``python -m module`` with the arguments: see ``serve``."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for environment in environments
    ]
    try:
        yield Steppers(started)
    finally:
        for process in started:
            process.kill()
            process.wait()


def serve(**answers: Callable[[], Any]) -> None:
    """Do what is asked on stdin, line by line, and answer on stdout in JSON."""
    for line in sys.stdin:
        print(json.dumps(answers[line.strip()]()), flush=True)
