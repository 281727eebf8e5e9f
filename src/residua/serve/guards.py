"""What stands before every route: whose requests are answered, how large and how slow they may be. Plain ASGI."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from residua.serve.limits import Limits
from residua.serve.refused import Refused

OPEN = ("/healthz", "/readyz")  # an orchestrator asks these, without a token
_LINGER_SECONDS, _LINGER_BYTES = 2.0, 256 << 20  # in which what is too large is still read
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def refusal(refused: Refused) -> JSONResponse:
    """The response that says why."""
    return JSONResponse(refused.body, refused.status, refused.headers)


class Guard:
    """Lets a request through or refuses it, by what ``check`` says of its path and headers."""

    def __init__(self, app: ASGIApp, check: Callable[[str, Headers], None]) -> None:
        self._app, self._check = app, check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            try:
                self._check(scope["path"], Headers(scope=scope))
            except Refused as refused:
                await refusal(refused)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def token_check(token: str) -> Callable[[str, Headers], None]:
    """Who knows the token, compared in constant time; ``Authorization: Bearer TOKEN``."""
    wanted = token.encode()

    def check(path: str, headers: Headers) -> None:
        kind, _, given = headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode("latin-1", "replace"), wanted)
        if path not in OPEN and not (right and kind.lower() == "bearer"):
            raise Refused(401, "the token is missing or wrong: send it as Authorization: Bearer TOKEN")

    return check


def host_check(hosts: tuple[str, ...]) -> Callable[[str, Headers], None]:
    """Names that the server answers to, and pages that may ask it: another's page cannot reach it by a name of its own.

    (DNS rebinding: a foreign name that suddenly means 127.0.0.1.)
    """

    def check(path: str, headers: Headers) -> None:
        host = headers.get("host", "")
        if _without_port(host) not in hosts:
            raise Refused(421, f"this server answers to {' and '.join(hosts)} only; --allow-host adds a name")
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            raise Refused(403, "a page of another origin may not ask this server")

    return check


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()


class Observed:
    """Tells ``counted(route, status, seconds)`` of every request; a route is a pattern, never what a client made up."""

    def __init__(self, app: ASGIApp, counted: Callable[[str, int, float], None]) -> None:
        self._app, self._counted = app, counted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def observed(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._counted(route, status, time.perf_counter() - start)


class Bodies:
    """Limits what a request brings: its bytes, those of all requests together, and the seconds until it is whole."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits = app, limits
        self._held = 0  # bytes of requests that are not answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(receive, self._limits)
        if int(Headers(scope=scope).get("content-length", "0")) > self._limits.body:
            await _drain(receive)
            await refusal(body.too_large)(scope, receive, send)
            return

        async def limited() -> Message:
            message = await body.receive()
            self._held += len(message.get("body", b""))
            if self._held > self._limits.held:
                raise Refused(429, f"{self._limits.held:,} bytes of requests are not answered yet: try again")
            return message

        try:
            await self._app(scope, limited, send)
        finally:
            self._held -= body.size


class _Body:
    """The body of one request as it arrives."""

    def __init__(self, receive: Receive, limits: Limits) -> None:
        self._receive, self._limits = receive, limits
        self._end = time.monotonic() + limits.body_seconds
        self._whole = False
        self.size = 0
        self.too_large = Refused(413, f"the body is larger than {limits.body:,} bytes")

    async def receive(self) -> Message:
        """The next part; once the body is whole, whatever comes may take its time. Raises Refused."""
        try:
            async with asyncio.timeout(None if self._whole else self._end - time.monotonic()):
                message = await self._receive()
        except TimeoutError:
            raise Refused(408, f"the body took longer than {self._limits.body_seconds:g} s") from None
        self._whole = not message.get("more_body", False)
        self.size += len(message.get("body", b""))
        if self.size > self._limits.body:
            if not self._whole:
                await _drain(self._receive)
            raise self.too_large
        return message


async def _drain(receive: Receive) -> None:
    """Read on for a moment, and forget what comes: who is still sending would not read the answer."""
    left = _LINGER_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body"):
                    return
