"""Every layout that is known, in the order in which a checkpoint is tried against them."""

from __future__ import annotations

from residua.convert import torchvision
from residua.convert.akamaster import AKAMASTER
from residua.convert.chenyaofo import CHENYAOFO
from residua.convert.kuangliu import KUANGLIU
from residua.convert.layout import Layout

LAYOUTS: tuple[Layout, ...] = (KUANGLIU, AKAMASTER, CHENYAOFO, torchvision.RESNET)


def libraries() -> dict[str, list[str]]:
    """The libraries that are known, sorted, and the families of each."""
    known: dict[str, set[str]] = {}
    for layout in LAYOUTS:
        known.setdefault(layout.library, set()).add(layout.family)
    return {library: sorted(known[library]) for library in sorted(known)}
