"""The kinds of analysis, as data: names and what each answers, without importing any of them (or torch)."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from residua.errors import UsageError, nearest

if TYPE_CHECKING:
    from residua.analysis.finding import Finding


@dataclass(frozen=True, kw_only=True)
class Kind:
    """``function`` is ``module:function`` below ``residua.analysis``: ``f(model, images, labels, **options)``."""

    function: str
    about: str
    trained: bool = False  # of a freshly initialised network the answer means little
    double: bool = False  # network and images in float64
    single: bool = False  # one image file will do, whose class nobody knows
    images: int = 64  # shown unless the user says how many

    def load(self) -> Callable[..., Finding]:
        """The function."""
        module, name = self.function.split(":")
        return getattr(importlib.import_module(f"residua.analysis.{module}"), name)


KINDS = {
    "response": Kind(
        function="response:response_finding",
        about="how much each 3x3 layer changes the signal (He et al. 2015, Figure 7)",
        trained=True,
        images=256,
    ),
}


def find_kind(name: str) -> Kind:
    """The kind called ``name``. Raises UsageError with the nearest names."""
    if name not in KINDS:
        raise UsageError(f"unknown kind of analysis {name!r}{nearest(name, KINDS)}")
    return KINDS[name]
