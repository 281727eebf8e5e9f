"""Whether the network may be tried: not with ``--offline``, nor where the environment says ``RESIDUA_OFFLINE=1``."""

from __future__ import annotations

import os

OFFLINE = "RESIDUA_OFFLINE"


def offline() -> bool:
    """Whether the user has said that nothing is to be downloaded."""
    return os.environ.get(OFFLINE, "") not in ("", "0")


def go_offline() -> None:
    """Download nothing from now on, in this process and in those that it starts."""
    os.environ[OFFLINE] = "1"
