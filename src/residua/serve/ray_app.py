"""The service as a Ray Serve application: the same routes, with each model's workers as replicas on a cluster."""

from __future__ import annotations

import asyncio
import importlib
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI

from residua.serve.app import make_app
from residua.serve.batching import Batching, Options
from residua.serve.limits import Limits
from residua.serve.metrics import Metrics
from residua.serve.models import Models
from residua.serve.refused import Refused
from residua.serve.sources import ModelSource
from residua.user_files import UserFile, files_in_use

ray: Any = importlib.import_module("ray")  # an extra, which a checker of types need not have
serve: Any = importlib.import_module("ray.serve")

NAME = "residua"  # of the application
HTTP = "http"  # of the deployment that speaks it


def application(
    sources: Sequence[ModelSource],
    *,
    batching: Batching,
    limits: Limits,
    token: str | None = None,
    hosts: tuple[str, ...] | None = None,
) -> Any:
    """The application of some models, for ``ray.serve.run(..., name=NAME)``; places must be the same on every node.

    ``batching.workers`` are replicas of each model. A new version is deployed by running it again.
    """
    files = files_in_use()
    asked = {
        "num_replicas": batching.workers,
        "max_ongoing_requests": 2 * batching.max_batch,  # or batches could not fill
        "ray_actor_options": {"num_cpus": batching.threads},
    }
    networks = [
        serve.deployment(_Network)
        .options(name=source.name, **asked)
        .bind(source.place, limits, batching, files)
        for source in sources
    ]
    names = [source.name for source in sources]

    def build() -> FastAPI:  # on the replica that speaks HTTP
        return make_app(_RayModels(names), limits=limits, metrics=Metrics(), token=token, hosts=hosts)

    return (
        serve.deployment(serve.ingress(build)())
        .options(name=HTTP, max_ongoing_requests=limits.connections)
        .bind(*networks)
    )


class _Network:
    """A model in a replica; images of many requests are computed together."""

    def __init__(self, place: str, limits: Limits, batching: Batching, files: Sequence[UserFile]) -> None:
        from residua.serve.served import Served

        for file in files:
            file.run()
        self._served = Served(place, limits, batching.threads)
        self.answer.set_max_batch_size(batching.max_batch)
        self.answer.set_batch_wait_timeout_s(batching.max_delay)

    async def facts(self) -> Any:
        return self._served.facts

    @serve.batch
    async def answer(self, asked: list[tuple[bytes, Options]]) -> list[Any]:
        prepared = [self._served.prepare(image) for image, _ in asked]
        return self._served.answers(prepared, [options for _, options in asked])


class _RayPool:
    """What the routes know of a model: its name, its facts, its answers."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.facts: Any = None
        self._handle = serve.get_deployment_handle(name, app_name=NAME)

    async def answer(self, images: Sequence[bytes], options: Options, seconds: float) -> list[Any]:
        """As ``Pool.answer``."""
        self.facts = self.facts or await self._handle.facts.remote()
        asked = [self._handle.options(method_name="answer").remote((image, options)) for image in images]
        try:
            async with asyncio.timeout(seconds):
                return [await one for one in asked]
        except TimeoutError:
            raise Refused(504, f"no answer within {seconds:g} s") from None
        except Exception as error:  # a replica that died, or is overloaded
            raise Refused(503, f"no replica answered: {type(error).__name__}") from error


class _RayModels(Models):
    """Models whose workers are Ray's."""

    def __init__(self, names: Sequence[str]) -> None:
        self._pools = {name: _RayPool(name) for name in names}

    async def open(self) -> None:
        """Ray has."""

    async def pool(self, name: str | None) -> Any:
        """Raises Refused."""
        name = next(iter(self._pools)) if name is None else name
        if name not in self._pools:
            raise Refused(404, f"there is no model {name!r}")
        return self._pools[name]

    def table(self) -> list[dict[str, Any]]:
        """Their names; what they are, once they have answered."""
        return [{"name": pool.name, "state": "ready"} for pool in self._pools.values()]

    @property
    def waiting_for(self) -> list[str]:
        """Ray itself does not route to what is not ready."""
        return []

    async def close(self) -> None:
        """Ray does."""


def run_on_ray(app: Any, host: str, port: int, started: Callable[[], None]) -> None:
    """Deploy an application on the cluster of this machine, or on one of its own, until SIGTERM or SIGINT.

    ``started`` is called once it answers.
    """
    ended = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        ray.init(ignore_reinit_error=True, log_to_driver=False)  # RAY_ADDRESS names a cluster
        serve.start(http_options={"host": host, "port": port})
        serve.run(app, name=NAME, route_prefix="/")
        started()
        ended.wait()
    finally:
        serve.shutdown()
        ray.shutdown()
        for number, handler in before.items():
            signal.signal(number, handler)
