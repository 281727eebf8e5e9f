"""Images that wait, and when they become a batch.

A batch goes out when it is full, or when its first image has waited long enough and a worker has nothing to do. While a
worker computes, a full batch is sent after it, so that it is decoded meanwhile; what is less than full keeps growing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from residua.serve.refused import Refused


@dataclass(frozen=True, kw_only=True)
class Batching:
    """How batches are formed, and by how many processes of how many threads they are computed."""

    max_batch: int = 32
    max_delay: float = 0.002  # seconds
    workers: int = 1
    threads: int = 1


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is asked about an image."""

    top_k: int = 5
    cam: bool = False  # where the network looked, too


@dataclass(eq=False)
class Job:
    """An image that is to be answered; whoever waits does so at ``answer``."""

    image: bytes
    options: Options
    answer: asyncio.Future[Any]
    entered: float = field(default_factory=time.monotonic)
    attempts: int = 0  # workers that died of it, or beside it


class Queue:
    """The jobs of a model, in order; at most ``limit`` of them."""

    def __init__(self, *, max_batch: int, max_delay: float, limit: int) -> None:
        self.max_batch = max_batch
        self.max_delay = max_delay  # seconds
        self.limit = limit
        self._jobs: dict[Job, None] = {}  # in order, and any can leave

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, jobs: Sequence[Job]) -> None:
        """Let jobs wait, all or none. Raises Refused where there is no room for them."""
        if len(self._jobs) + len(jobs) > self.limit:
            raise Refused(429, f"{len(self._jobs)} images wait already, and {self.limit} may: try again")
        self._jobs.update(dict.fromkeys(jobs))

    def put_back(self, jobs: Sequence[Job]) -> None:
        """Let jobs that have waited already go first."""
        self._jobs = {**dict.fromkeys(jobs), **self._jobs}

    def leave(self, jobs: Sequence[Job]) -> None:
        """Forget jobs that nobody waits for any more."""
        for job in jobs:
            self._jobs.pop(job, None)

    @property
    def retries(self) -> bool:
        """Whether a job that a worker died with comes next. There must be a job."""
        return next(iter(self._jobs)).attempts > 0

    def due_in(self) -> float:
        """Seconds until what waits may go out though it is no full batch; 0 or less: now. There must be a job."""
        return 0.0 if self.retries else next(iter(self._jobs)).entered + self.max_delay - time.monotonic()

    @property
    def full(self) -> bool:
        """Whether a batch is full."""
        return len(self._jobs) >= self.max_batch

    def take(self) -> list[Job]:
        """The next batch; a job that a worker has died with goes alone, so that no other dies with it."""
        batch = list(islice(self._jobs, 1 if self.retries else self.max_batch))
        self.leave(batch)
        return batch

    def clear(self) -> list[Job]:
        """Everything that waits."""
        jobs = list(self._jobs)
        self._jobs.clear()
        return jobs
