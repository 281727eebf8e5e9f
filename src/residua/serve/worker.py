"""The process that decodes images and computes what they show; it knows nothing of HTTP, and anything may kill it.

It is sent ``Batch``es and answers each with a list, an answer or a ``Refused`` for every image, in order. The next
batch is decoded while this one is computed. It ends when its pipe does: with its server, however that ended.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from residua.serve.batching import Options
from residua.serve.limits import Limits
from residua.serve.refused import Refused
from residua.user_files import UserFile

Image = tuple[bytes, Options]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a worker tells of the model that it has opened."""

    version: str  # of the file that the model is known by
    answers: str  # "classes" or "numbers"
    classes: tuple[str, ...]
    shape: tuple[int, ...]  # (C, H, W) of what the network sees
    format: str
    precision: str
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Failed:
    """Why a model cannot be opened, in a line."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Images that are computed together."""

    number: int
    images: Sequence[Image]


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What was found of a batch: a table or what it is refused with, for each image; and how long that took."""

    number: int
    answers: Sequence[dict[str, Any] | Refused]
    seconds: float  # of the network


def work(
    connection: Connection, source: str, limits: Limits, threads: int, files: Sequence[UserFile]
) -> None:
    """Serve a pipe until it ends."""
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # which a terminal or a supervisor sends to all: the server decides
        signal.signal(number, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    try:
        for file in files:
            file.run()
        _work(connection, source, limits, threads)
    except (EOFError, OSError):  # the server is gone
        pass


def _work(connection: Connection, source: str, limits: Limits, threads: int) -> None:
    from residua.errors import ResiduaError
    from residua.serve.served import Served  # only here: it brings torch or a runtime

    try:
        served = Served(source, limits, threads)
    except ResiduaError as error:
        connection.send(Failed(reason=str(error)))
        return
    except Exception as error:  # a fault of a library: the server says it, and goes on without this model
        connection.send(Failed(reason=f"{source}: {type(error).__name__}: {error}"))
        return
    connection.send(served.facts)
    decoded: queue.Queue[tuple[Batch, list[Any]] | None] = queue.Queue(1)
    threading.Thread(target=_decode, args=(connection, served, threads, decoded), daemon=True).start()
    while (item := decoded.get()) is not None:
        batch, prepared = item
        start = time.perf_counter()
        answers = served.answers(prepared, [options for _, options in batch.images])
        seconds = time.perf_counter() - start
        connection.send(Answered(number=batch.number, answers=answers, seconds=seconds))


def _decode(connection: Connection, served: Any, threads: int, decoded: queue.Queue[Any]) -> None:
    try:
        with ThreadPoolExecutor(threads) as pool:
            while (batch := connection.recv()) is not None:  # None: the server wants no more of this worker
                decoded.put((batch, list(pool.map(served.prepare, (image for image, _ in batch.images)))))
    except EOFError:  # the server is gone
        pass
    finally:  # whatever happened: this worker ends, and what it had is given to another
        decoded.put(None)
