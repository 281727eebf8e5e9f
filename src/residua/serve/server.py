"""From an address to a running server: its socket, its timeouts, its end."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from residua.errors import UsageError
from residua.serve.guards import LOOPBACK
from residua.serve.limits import Limits
from residua.serve.models import Models
from residua.serve.protocol import patient

_NOISY = (
    "uvicorn.error",
    "python_multipart",
)  # they warn of every malformed request: anybody could fill the log
_SHORTEST_TOKEN = 16  # characters


def bind(host: str, port: int) -> socket.socket:
    """A socket of this address, which nobody can reach yet. Raises UsageError that says why it is not to be had."""
    if not 0 <= port <= 65535:
        raise UsageError(f"--port is a number from 0 to 65535, not {port}")
    try:
        kind, form, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # the protocol named: asyncio sends an answer at once (TCP_NODELAY) only on sockets that name theirs
        opened = socket.socket(kind, form, protocol)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"cannot serve at {host}:{port}: {_why(error)}") from error
    return opened


def _why(error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return "another program does already: --port 0 finds a free one"
    if number == errno.EACCES:
        return "ports below 1024 are for administrators: --port names another"
    if number == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror | UnicodeError):
        return "it is no address of this machine"
    return getattr(error, "strerror", None) or str(error)


def address_of(opened: socket.socket) -> str:
    """The URL of a bound socket."""
    host, port = opened.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def names_of(host: str, allowed: list[str]) -> tuple[str, ...] | None:
    """The names that a server at ``host`` answers to; None: any, because it is not only this machine's."""
    if allowed or host in ("127.0.0.1", "localhost", "::1"):
        return tuple(dict.fromkeys([*LOOPBACK, host, *(name.lower() for name in allowed)]))
    return None


def read_token(path: Path) -> str:
    """The token in a file that nobody else can read. Raises UsageError."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            token = file.read(4096).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot read the token in {path}: {getattr(error, 'strerror', None) or error}"
        ) from error
    if os.name != "nt" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(f"others may read {path}: chmod 600 keeps the token secret")
    if len(token) < _SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(f"{path} holds no token: {_SHORTEST_TOKEN} or more letters and digits in one line")
    return token


def run(
    app: FastAPI, models: Models, opened: socket.socket, limits: Limits, started: Callable[[], None]
) -> None:
    """Load the models and serve until SIGTERM or SIGINT; what was accepted by then is answered.

    ``started`` is called once the server can be reached. Raises ResiduaError for a model that cannot be opened.
    """
    try:
        asyncio.run(_run(app, models, opened, limits, started))
    finally:
        opened.close()


async def _run(
    app: FastAPI, models: Models, opened: socket.socket, limits: Limits, started: Callable[[], None]
) -> None:
    await models.open()
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=patient(limits),
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=int(limits.seconds) + 1,
        )
    )
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
    app.state.stopping = lambda: server.should_exit
    # uvicorn raises the signal that ended it once more, for who stood here before: a stop asked for is no fault
    before = {number: signal.signal(number, _nothing) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        serving = asyncio.create_task(server.serve(sockets=[opened]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        started()
        await serving
    finally:
        await models.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def _nothing(number: int, frame: FrameType | None) -> None:
    pass
