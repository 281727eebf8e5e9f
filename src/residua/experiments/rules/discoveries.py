"""Many claims at once: which of them E-values show, with few false ones among them (e-BH, Wang & Ramdas 2022)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

RATE = 0.05  # of what is called shown, the share that is expected to be false at most

Name = TypeVar("Name", bound=Hashable)


def discoveries(e_values: Mapping[Name, float], rate: float = RATE) -> set[Name]:
    """The hypotheses that are shown: the k largest E-values, k as large as all of them are at least K / (k rate).

    Holds however the E-values depend on each other, as those of claims that share trainings do.
    """
    ranked = sorted(e_values, key=lambda name: e_values[name], reverse=True)
    enough = [k for k, name in enumerate(ranked, 1) if k * e_values[name] * rate >= len(ranked)]
    return set(ranked[: max(enough, default=0)])
