"""``residua serve``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from residua.cli.say import note, say
from residua.errors import UsageError
from residua.machine import usable_cores
from residua.serve.batching import Batching
from residua.serve.limits import Limits
from residua.serve.needs import need_extra, need_ray
from residua.serve.sources import ModelSource, artifacts_of, named_sources


def serve(
    sources: list[str],
    /,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    max_batch: int = 32,
    max_delay_ms: float = 2.0,
    workers: int = 1,
    threads: int | None = None,
    timeout: float = 30.0,
    max_body_mb: float = 32.0,
    max_pixels: int = 50_000_000,
    max_queue: int = 1024,
    token_file: Path | None = None,
    allow_host: Annotated[list[str] | None, Parameter(negative="")] = None,
    ray: Annotated[bool, Parameter(negative="")] = False,
    layout: str | None = None,
    out: Path = Path("model_repository"),
) -> None:
    """Serve models over HTTP: POST images to /v1/predict, and read what is on them.

    A source that is replaced while it is served is loaded beside the old one and switched to; no request is lost.
    SIGTERM and Ctrl-C end the server once every accepted request is answered.

    Args:
        sources: artifacts, runs (folders, names under runs/, latest) or weight files; NAME=SOURCE gives one a name.
        host: the address to listen at; 0.0.0.0 for every address of this machine, then best with --token-file.
        port: 0 finds a free one.
        max_batch: how many images are computed together at most.
        max_delay_ms: how long the first image of a batch waits for others, while nothing else is computed.
        workers: processes of each model.
        threads: of each process; by default the cores are divided among them.
        timeout: seconds within which an image is answered, or else the request is (504).
        max_body_mb: megabytes of a request, more are refused (413).
        max_pixels: of an image, more are refused (413) before they are decoded.
        max_queue: images that wait for a model, more are refused (429).
        token_file: a file with a token that only you can read; requests must then carry it (Authorization: Bearer).
        allow_host: a name that the server is asked by; at 127.0.0.1 all but the usual ones are refused.
        ray: serve on the Ray cluster that this machine belongs to, or else on this machine by Ray (extra: ray).
        layout: triton or ovms: serve nothing, but write artifacts as a repository that NVIDIA Triton or OpenVINO Model
            Server reads.
        out: where that repository is, or is to be.

    """
    if not sources:
        raise UsageError("name what is to be served: an artifact, a run or a weight file")
    if layout is not None:
        _write(sources, layout, out)
        return
    for flag, value, least in (
        ("--max-batch", max_batch, 1),
        ("--max-delay-ms", max_delay_ms, 0),
        ("--workers", workers, 1),
        ("--threads", threads or 1, 1),
        ("--timeout", timeout, 0.001),
        ("--max-body-mb", max_body_mb, 0.001),
        ("--max-pixels", max_pixels, 1),
        ("--max-queue", max_queue, 1),
    ):
        if not least <= value < float("inf"):
            raise UsageError(f"{flag} must be at least {least}, not {value}")
    limits = Limits(body=int(max_body_mb * 2**20), pixels=max_pixels, queue=max_queue, seconds=timeout)
    batching = Batching(
        max_batch=max_batch,
        max_delay=max_delay_ms / 1000,
        workers=workers,
        threads=threads or max(1, usable_cores() // workers),
    )
    need_extra()
    from residua.serve.server import names_of, read_token

    models, names = named_sources(sources), names_of(host, allow_host or [])
    token = None if token_file is None else read_token(token_file)
    if token is None and names is None:
        note("anybody who can reach this machine can ask these models: --token-file keeps others out")
    start = _on_ray if ray else _here
    start(models, batching, limits, token, names, host, port)


def _here(
    sources: Sequence[ModelSource],
    batching: Batching,
    limits: Limits,
    token: str | None,
    names: tuple[str, ...] | None,
    host: str,
    port: int,
) -> None:
    from residua.serve.app import make_app
    from residua.serve.metrics import Metrics
    from residua.serve.models import NamedModels
    from residua.serve.server import address_of, bind, run

    metrics = Metrics()
    models = NamedModels(sources, batching=batching, limits=limits, metrics=metrics)
    app = make_app(models, limits=limits, metrics=metrics, token=token, hosts=names)
    opened = bind(host, port)

    def started() -> None:
        for table in models.table():
            for text in table["notes"]:
                note(f"{table['name']}: {text}")
        for source in sources:
            if exported := artifacts_of(source.place):
                listed = ", ".join(map(str, exported))
                note(f"{source.name} is the run's own network, by PyTorch; exported of it is {listed}")
        say(f"serving {_named(sources)} at {address_of(opened)}")

    run(app, models, opened, limits, started)


def _on_ray(
    sources: Sequence[ModelSource],
    batching: Batching,
    limits: Limits,
    token: str | None,
    names: tuple[str, ...] | None,
    host: str,
    port: int,
) -> None:
    need_ray()
    from residua.serve.ray_app import application, run_on_ray

    app = application(sources, batching=batching, limits=limits, token=token, hosts=names)
    run_on_ray(
        app, host, port, lambda: say(f"serving {_named(sources)} at http://{host}:{port} by Ray Serve")
    )


def _named(sources: Sequence[ModelSource]) -> str:
    return ", ".join(source.name for source in sources)


def _write(sources: Sequence[str], layout: str, out: Path) -> None:
    from residua.serve.layouts import write_layout

    for source in named_sources(sources):
        say(write_layout(layout, source.place, out, source.name))
