"""The networks of the runs, each opened when it is first shown an image; a few of them stay open."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

from residua.errors import ResiduaError
from residua.serve.batching import Batching
from residua.serve.limits import Limits
from residua.serve.metrics import Metrics
from residua.serve.models import Models, described
from residua.serve.pool import Pool
from residua.serve.refused import Refused
from residua.serve.sources import Signature, signature
from residua.serve.ui.shelf import Shelf

MOST_OPEN = 4  # a process each, of some hundred MB


class RunModels(Models):
    """Any run or artifact of a shelf, by its name there."""

    def __init__(self, shelf: Shelf, *, limits: Limits, metrics: Metrics, threads: int) -> None:
        self._shelf, self._limits, self._metrics = shelf, limits, metrics
        self._batching = Batching(threads=threads)
        self._open: dict[str, tuple[Pool, Signature | None]] = {}  # the one that was used last is last
        self._opening: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._closing: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Nothing, from the beginning."""

    async def pool(self, name: str | None) -> Pool:
        """Raises Refused for a name that is not on the shelf, and for a network that cannot be opened."""
        if name is None:
            raise Refused(422, "which network? ?model= names a run, or RUN/ARTIFACT")
        place = str(await asyncio.to_thread(self._shelf.model, name))
        now = await asyncio.to_thread(signature, place)
        async with self._opening[name]:
            pool, known = self._open.pop(name, (None, None))
            if pool is None or known != now:
                fresh = Pool(name, place, batching=self._batching, limits=self._limits, metrics=self._metrics)
                try:
                    await fresh.start()
                except ResiduaError as error:
                    await fresh.close()
                    self._close(pool)
                    raise Refused(422, str(error)) from error
                self._close(pool)
                pool = fresh
            self._open[name] = pool, now
        while len(self._open) > MOST_OPEN:
            oldest = next(iter(self._open))
            self._close(self._open.pop(oldest)[0])
        return pool

    def table(self) -> list[dict[str, Any]]:
        """Those that are open."""
        return [{"name": name, **described(pool), "error": None} for name, (pool, _) in self._open.items()]

    @property
    def waiting_for(self) -> list[str]:
        """None is needed."""
        return []

    async def close(self) -> None:
        """All at once."""
        await asyncio.gather(*(pool.close() for pool, _ in self._open.values()), *self._closing)

    def _close(self, pool: Pool | None) -> None:
        if pool:
            task = asyncio.create_task(pool.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
