"""The lines of a log as they are written, as server-sent events."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from residua.runs.layout import METRICS, is_complete

_SECONDS = 0.5  # between two looks
_BYTES = 1 << 20  # of the log in one event
_ALIVE = 30  # looks without a new line, after which the connection is kept alive


async def tail(run: Path, offset: int, stopping: Callable[[], bool]) -> AsyncIterator[str]:
    """Events from ``offset`` bytes of a run's metrics on: ``lines``, a JSON list of tables, until the run is complete.

    The id of an event is the offset after it, so that a browser which lost the connection goes on where it was.
    ``reset`` says that the log was cut back, and comes again from its beginning; ``end`` that there will be no more.
    """
    silent = 0
    while not stopping():
        complete = is_complete(run)  # before the log is read: what it says then is all there is
        content, start = await asyncio.to_thread(_more, run / METRICS, offset)
        if start < offset:
            yield _event("reset", [], start)
        offset = start + len(content)
        silent = 0 if content else silent + 1
        if content:
            yield _event("lines", _tables(content), offset)
        elif complete:
            yield _event("end", [], offset)
            return
        elif silent % _ALIVE == 0:
            yield ": still here\n\n"
        if not content:
            await asyncio.sleep(_SECONDS)


def _more(log: Path, offset: int) -> tuple[bytes, int]:
    """Whole lines from an offset on, and where they start: 0 if the log is shorter than that now."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            start = offset if 0 <= offset <= size else 0
            file.seek(start)
            content = file.read(_BYTES)
    except OSError:  # not yet written, or just being replaced
        return b"", offset
    return content[: content.rfind(b"\n") + 1], start


def _tables(content: bytes) -> list[dict[str, Any]]:
    """The lines that are tables, with null for what JSON cannot carry."""
    tables = []
    for line in content.splitlines():
        try:
            table = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(table, dict):
            tables.append({key: _number(value) for key, value in table.items()})
    return tables


def _number(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _event(kind: str, tables: list[dict[str, Any]], offset: int) -> str:
    return f"event: {kind}\nid: {offset}\ndata: {json.dumps(tables, allow_nan=False)}\n\n"
