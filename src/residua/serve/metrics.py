"""What Prometheus is told; a registry of its own, so that two servers in a process do not meet."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_IMAGES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """Counters and histograms of a server; their names begin with ``residua_``."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "residua_requests", "Requests, by route and status", ["route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "residua_request_seconds", "From a request's head to its answer", ["route"],
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._images = Counter("residua_images", "Images that workers answered", ["model"], registry=registry)
        self._batches = Histogram(
            "residua_batch_images", "Images of a batch", ["model"], buckets=_IMAGES, registry=registry
        )
        self._computing = Histogram(
            "residua_batch_seconds", "Computing a batch", ["model"], buckets=_SECONDS, registry=registry
        )
        self._restarts = Counter(
            "residua_worker_restarts", "Workers that died and were replaced", ["model"], registry=registry
        )
        self._reloads = Counter(
            "residua_reloads", "New versions, by what became of them", ["model", "outcome"], registry=registry
        )
        self._waiting = Gauge(
            "residua_waiting_images", "Images that wait for a worker", ["model"], registry=registry
        )

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count a request; ``route`` is the pattern of a path, never what a client made up."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def computed(self, model: str, images: int, seconds: float) -> None:
        """Count a batch."""
        self._images.labels(model).inc(images)
        self._batches.labels(model).observe(images)
        self._computing.labels(model).observe(seconds)

    def restarted(self, model: str) -> None:
        """Count a worker that died."""
        self._restarts.labels(model).inc()

    def reloaded(self, model: str, outcome: str) -> None:
        """Count a new version: ``"switched"`` or ``"failed"``."""
        self._reloads.labels(model, outcome).inc()

    def watch(self, model: str, waiting: Callable[[], int]) -> None:
        """Ask how many images wait whenever the metrics are read."""
        self._waiting.labels(model).set_function(waiting)

    def page(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self._registry)
