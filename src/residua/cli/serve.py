"""``residua serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from residua.cli.say import note, say
from residua.errors import UsageError
from residua.machine import usable_cores
from residua.serve.limits import Limits
from residua.serve.needs import need_extra
from residua.serve.sources import named_sources


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

    """
    need_extra()
    from residua.serve.app import make_app
    from residua.serve.metrics import Metrics
    from residua.serve.models import NamedModels
    from residua.serve.pool import Batching
    from residua.serve.server import address_of, bind, names_of, read_token, run

    if not sources:
        raise UsageError("name what is to be served: an artifact, a run or a weight file")
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
    metrics = Metrics()
    models = NamedModels(named_sources(sources), batching=batching, limits=limits, metrics=metrics)
    token = None if token_file is None else read_token(token_file)
    app = make_app(
        models, limits=limits, metrics=metrics, token=token, hosts=names_of(host, allow_host or [])
    )
    opened = bind(host, port)
    if token is None and names_of(host, []) is None:
        note("anybody who can reach this machine can ask these models: --token-file keeps others out")

    def started() -> None:
        for table in models.table():
            for text in table["notes"]:
                note(f"{table['name']}: {text}")
        say(f"serving {', '.join(table['name'] for table in models.table())} at {address_of(opened)}")

    run(app, models, opened, limits, started)
