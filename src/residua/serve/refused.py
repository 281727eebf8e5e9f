"""What a request is refused with: a status, and a line that says why."""

from __future__ import annotations

from typing import Any

BUSY_SECONDS = 1  # when who was told that the server is busy may ask again


class Refused(Exception):
    """A request that gets no answer; ``reason`` is for who sent it."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)  # so that it crosses between processes
        self.status = status
        self.reason = reason

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object that is sent."""
        return {"schema": 1, "status": self.status, "error": self.reason}

    @property
    def headers(self) -> dict[str, str]:
        """When to come back, where that helps; and the end of a connection whose request was not read to its end."""
        headers: dict[str, str] = {}
        if self.status in (429, 503):
            headers["retry-after"] = str(BUSY_SECONDS)
        if self.status in (408, 413):
            headers["connection"] = "close"
        if self.status == 401:
            headers["www-authenticate"] = "Bearer"
        return headers
