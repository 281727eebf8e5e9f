"""A model as a page of text or a table of values: shapes, counts, shortcuts, deviations, published figures.

The room is not called ``describe``: importing it would hide the function ``residua.describe``. What needs torch is
imported when it is first used, so that ``residua.description.columns`` is light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from residua.description.description import describe
    from residua.description.resnet_page import Description
    from residua.description.summary import Summary

__all__ = ["Description", "Summary", "describe"]
_MODULES = {"Description": "resnet_page", "Summary": "summary", "describe": "description"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'residua.description' has no attribute {name!r}")
    return getattr(importlib.import_module(f"residua.description.{_MODULES[name]}"), name)
