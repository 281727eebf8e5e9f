"""The paths of data that this user has named here: a run folder alone opens no other.

A run folder may come from anybody, and its ``data.json`` may point anywhere. What ``load_data`` has read is
remembered in ``$XDG_STATE_HOME/residua/named-data`` (``~/.local/state``; ``%LOCALAPPDATA%`` on Windows), a JSON string
a line.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from residua.spec.data import is_url


def remember(path: str | Path) -> None:
    """Note that the user has named ``path``. Where nothing can be kept, they will be asked to name it again."""
    if is_named(path):
        return
    try:
        _kept().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _kept().open("a", encoding="ascii") as file:
            file.write(json.dumps(_resolved(path)) + "\n")
    except (OSError, RuntimeError):
        return


def is_named(path: str | Path) -> bool:
    """Whether ``path`` has been remembered, under whatever name it was reached."""
    try:
        lines = _kept().read_text(encoding="ascii").splitlines()
        return json.dumps(_resolved(path)) in lines
    except (OSError, RuntimeError, ValueError):  # no file, no home, a circle of links, not ours
        return False


def _kept() -> Path:
    given = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(given) if given else Path.home() / ".local" / "state") / "residua" / "named-data"


def _resolved(path: str | Path) -> str:
    if is_url(path):
        return str(path)
    return str(Path(path).expanduser().resolve())
