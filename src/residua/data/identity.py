"""What data is: hashes of its contents and of its splits, and what two of them differ in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

# What must not change between a run and its resumption; the folder may move, so path and source may.
FIXED = (
    "kind",
    "storage",
    "image_size",
    "channels",
    "classes",
    "counts",
    "fingerprint",
    "split_sha256",
    "preprocessing",
    "mean",
    "std",
)


def same_identity(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """None if two identities (``Data.identity``, ``data.json``) describe the same images, else what differs."""
    for key in FIXED:
        if before.get(key) != now.get(key):
            return f"the data's {key} differs: {_short(before.get(key))} before, {_short(now.get(key))} now"
    return None


def digest(parts: Iterable[bytes | memoryview]) -> str:
    """The sha256 of some byte strings in order, each with its length, as hexadecimal digits."""
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "little"))
        total.update(part)
    return total.hexdigest()


def array_bytes(array: np.ndarray) -> memoryview:
    """The bytes of a contiguous array, uncopied."""
    return np.ascontiguousarray(array).data.cast("B")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
