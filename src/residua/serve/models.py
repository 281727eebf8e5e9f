"""The models of a server by name, each with its pool; what has changed on disk is loaded beside, then switched to."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from residua.errors import ResiduaError, nearest
from residua.serve.batching import Batching
from residua.serve.limits import Limits
from residua.serve.metrics import Metrics
from residua.serve.pool import Pool
from residua.serve.refused import Refused
from residua.serve.sources import ModelSource, Signature, signature

LOOK_SECONDS = 1.0  # between two looks at the files; what changed must stay as it is for one of them
_log = logging.getLogger("residua.serve")


class Models(ABC):
    """What a server can be asked about."""

    @abstractmethod
    async def open(self) -> None:
        """Load what is there from the beginning. Raises ResiduaError for a model that cannot be opened."""

    @abstractmethod
    async def pool(self, name: str | None) -> Pool:
        """Who answers for a model, the first one without a name. Raises Refused for a name that there is not."""

    @abstractmethod
    def table(self) -> list[dict[str, Any]]:
        """Every model, as ``/v1/models`` shows it."""

    @property
    @abstractmethod
    def waiting_for(self) -> list[str]:
        """The models that cannot answer now; none: the server is ready."""

    @abstractmethod
    async def close(self) -> None:
        """Finish what was accepted, and end."""


class _Model:
    """A model, its pool of now, and the files that it was made of."""

    def __init__(self, source: ModelSource) -> None:
        self.source = source
        self.pool: Pool | None = None
        self.loaded: Signature | None = None
        self.seen: Signature | None = None  # at the last look
        self.error = ""  # why the last version was not switched to


class NamedModels(Models):
    """The models of a command line, all loaded from the beginning."""

    def __init__(
        self, sources: Sequence[ModelSource], *, batching: Batching, limits: Limits, metrics: Metrics
    ) -> None:
        self._models = {source.name: _Model(source) for source in sources}
        self._batching, self._limits, self._metrics = batching, limits, metrics
        self._watching: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """All of them; their files are watched from then on. Raises ResiduaError."""
        try:
            await asyncio.gather(*map(self._load, self._models.values()))
        except ResiduaError:
            await self.close()
            raise
        self._watching = asyncio.create_task(self._watch())

    async def pool(self, name: str | None) -> Pool:
        """Raises Refused."""
        name = next(iter(self._models)) if name is None else name
        if name not in self._models:
            raise Refused(404, f"there is no model {name!r}{nearest(name, self._models)}")
        pool = self._models[name].pool
        assert pool is not None, "opened before it is asked"
        return pool

    def table(self) -> list[dict[str, Any]]:
        """Name, state, what the model tells of itself, and why its next version is not served."""
        return [
            {"name": name, **described(model.pool), "error": model.error or None}
            for name, model in self._models.items()
        ]

    @property
    def waiting_for(self) -> list[str]:
        """Those without a worker."""
        return [name for name, model in self._models.items() if not (model.pool and model.pool.ready)]

    async def close(self) -> None:
        """All at once."""
        if self._watching:
            self._watching.cancel()
        pools = [model.pool for model in self._models.values() if model.pool]
        await asyncio.gather(*(pool.close() for pool in pools))

    async def _load(self, model: _Model) -> None:
        """Open what lies there now beside what is served, then switch. Raises ResiduaError, and nothing has changed."""
        name, place = model.source.name, model.source.place
        found = await asyncio.to_thread(signature, place)
        fresh = Pool(name, place, batching=self._batching, limits=self._limits, metrics=self._metrics)
        try:
            await fresh.start()
        except ResiduaError:
            await fresh.close()
            raise
        old, model.pool = model.pool, fresh  # who has the old one in hand is still answered by it
        model.loaded = model.seen = found
        self._metrics.watch(name, lambda: len(fresh.queue))
        if old:
            await old.close()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for model in self._models.values():
                await self._look(model)

    async def _look(self, model: _Model) -> None:
        name = model.source.name
        now = await asyncio.to_thread(signature, model.source.place)
        settled, model.seen = now == model.seen, now
        if now is None or now == model.loaded or not settled:
            return
        try:
            await self._load(model)
            outcome, model.error = "switched", ""
            _log.info("%s: switched to a new version", name)
        except (ResiduaError, OSError) as error:  # or there is no memory for another process
            outcome, model.error, model.loaded = "failed", str(error), now  # until its files change again
            _log.warning("%s: the new version is not served: %s", name, error)
        self._metrics.reloaded(name, outcome)


def described(pool: Pool | None) -> dict[str, Any]:
    """What is told of a model."""
    facts = pool.facts if pool else None
    state = "ready" if pool and pool.ready else "loading"
    return {"state": state, **(asdict(facts) if facts else {})}
