"""One function of many items at once; what reads files waits outside Python's lock, so threads are enough."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_parallel(function: Callable[[T], R], items: Iterable[T], threads: int) -> list[R]:
    """``function`` of every item, in order."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))
