"""A choice in words, as the plan of a run keeps it and a person reads it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """One choice: ``what`` (``image_size``), how it came out, and ``why``."""

    what: str
    choice: str
    why: str

    def __str__(self) -> str:
        return f"{self.what.replace('_', ' ')} {self.choice}: {self.why}"
