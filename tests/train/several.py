"""Run code in several processes that share a training, as a launch does, but without its watching."""

import os
import subprocess
import sys

from residua.train.launch import MEETING


def start(code, count, folder, *arguments):
    """Start ``count`` processes of the code; rank, and what else they need, stands in their environment."""
    shared = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), MEETING: str(folder / "meeting")}
    return [
        subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            env={**os.environ, "OMP_NUM_THREADS": "1", **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]


def finish(processes):
    """Wait for all and return what each has printed. Asserts that all ended well."""
    said = [process.communicate(timeout=200) for process in processes]
    for process, (_, errors) in zip(processes, said, strict=True):
        assert process.returncode == 0, errors
    return [out for out, _ in said]
