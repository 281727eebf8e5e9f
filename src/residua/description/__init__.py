"""A model as a page of text or a table of values: shapes, counts, shortcuts, deviations, published figures.

The room is not called ``describe``: importing it would hide the function ``residua.describe``. What needs torch is
imported when it is first used, so that ``residua.description.columns`` is light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from residua.description.description import Description, describe
    from residua.description.summary import Summary

__all__ = ["Description", "Summary", "describe"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'residua.description' has no attribute {name!r}")
    room = importlib.import_module(f"residua.description.{'summary' if name == 'Summary' else 'description'}")
    return getattr(room, name)
