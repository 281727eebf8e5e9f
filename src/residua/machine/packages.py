"""What is installed: residua, what it needs, and its extras."""

from __future__ import annotations

import importlib.metadata
import re
from functools import cache


@cache
def extras() -> dict[str, dict[str, str | None]]:
    """For each extra of residua's package: its distributions and their versions (None: not installed).

    Read from the installed metadata; empty where residua runs from a folder without being installed.
    """
    table: dict[str, dict[str, str | None]] = {}
    for requirement in _requirements():
        match = re.search(r"extra\s*==\s*['\"]([\w.-]+)", requirement)
        if match and not requirement.startswith("residua"):
            name = _distribution(requirement)
            table.setdefault(match[1], {})[name] = _version(name)
    return table


def versions() -> dict[str, str]:
    """Versions of residua and of what it always needs, where they are installed."""
    needed = [_distribution(line) for line in _requirements() if "extra" not in line]
    names = ["residua", "torch", "numpy", *needed]
    found = {name: _version(name) for name in dict.fromkeys(names)}
    return {name: version for name, version in found.items() if version is not None}


def _requirements() -> list[str]:
    try:
        return importlib.metadata.requires("residua") or []
    except importlib.metadata.PackageNotFoundError:
        return []


def _distribution(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
