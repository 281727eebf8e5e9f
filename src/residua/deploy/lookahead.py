"""Work that is done ahead of who needs it, in order and with an end to what lies ready."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def computed_ahead(
    function: Callable[[T], R], items: Iterable[T], *, threads: int, ahead: int
) -> Iterator[R]:
    """``function`` of every item, in order; ``threads`` threads compute up to ``ahead`` of them early.

    At most ``ahead + 1`` items are drawn before the first result, so that memory is bounded however many there are.
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[R]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:  # nobody asks on: what is not begun is not done
            for future in waiting:
                future.cancel()


def groups(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of ``size``; the last one may be shorter."""
    left = iter(items)
    while group := list(islice(left, size)):
        yield group
