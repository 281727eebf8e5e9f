"""HTTP/1.1 with an end to its patience: connections that send no request, or half of one, are closed in time.

And with a farewell: a server that stops tells its clients so, and answers what they had sent by then.
"""

from __future__ import annotations

import asyncio
import json

from uvicorn.protocols.http.h11_impl import H11Protocol

from residua.serve.limits import Limits
from residua.serve.refused import Refused

_FAREWELL_SECONDS = 1.0  # in which a request that was on its way arrives at a server that stops
_LAST = (b"connection", b"close")


def patient(limits: Limits) -> type[H11Protocol]:
    """uvicorn's protocol within ``limits``: of connections, and of the seconds in which the head of a request comes."""

    class Patient(H11Protocol):
        _late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
            super().connection_made(transport)
            if len(self.connections) > limits.connections:
                transport.write(_response(Refused(503, f"{limits.connections} connections are open")))
                transport.close()
            else:
                self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            if self._late:
                self._late.cancel()
            super().connection_lost(exc)

        def shutdown(self) -> None:
            """Stop after the next answer, which says so.

            uvicorn closes idle connections at once: a request on its way would meet a reset (RFC 9112, section 9.6).
            """
            if _LAST not in self.server_state.default_headers:
                self.server_state.default_headers = [*self.server_state.default_headers, _LAST]
            if self._idle():
                self.loop.call_later(_FAREWELL_SECONDS, lambda: self._idle() and self.transport.close())
            else:
                self.cycle.default_headers = self.server_state.default_headers
                super().shutdown()

        def send_400_response(self, msg: str) -> None:
            self.transport.write(_response(Refused(400, "this is no HTTP/1.1 request")))
            self.transport.close()

        def _watch(self) -> None:
            """Time who has asked nothing, or goes on sending after the answer; uvicorn times who is silent."""
            if self._idle() and self._late is None:
                self._late = self.loop.call_later(limits.head_seconds, self.transport.close)
            elif not self._idle() and self._late is not None:
                self._late.cancel()
                self._late = None

        def _idle(self) -> bool:
            return self.cycle is None or self.cycle.response_complete

    return Patient


def _response(refused: Refused) -> bytes:
    """A whole response, for where no application is asked."""
    body = json.dumps(refused.body).encode()
    phrase = {400: "Bad Request", 503: "Service Unavailable"}[refused.status]
    head = f"HTTP/1.1 {refused.status} {phrase}\r\ncontent-type: application/json\r\nconnection: close\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
