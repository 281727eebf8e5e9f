"""What a server takes: of one request, of all of them together, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

from residua.data.image import MAX_SIDE


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bytes, images, pixels and seconds; what goes beyond is refused with a status and a reason."""

    body: int = 32 << 20  # bytes of a request: 413
    images: int = 256  # of a request: 413
    pixels: int = 50_000_000  # of an image, as its header states them: 413
    side: int = MAX_SIDE  # of an image, in pixels: 413
    queue: int = 1024  # images that wait for a model: 429
    held: int = 512 << 20  # bytes of all requests that are not answered: 429
    connections: int = 1024  # open at once: 503
    seconds: float = 30.0  # for an answer, from the end of the request: 504
    head_seconds: float = 10.0  # for the head of a request to arrive: the connection is closed
    body_seconds: float = 30.0  # for its body: 408
