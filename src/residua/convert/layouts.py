"""Every layout that is known, in the order in which a checkpoint is tried against them."""

from __future__ import annotations

from residua.convert import timm, torchvision
from residua.convert.akamaster import AKAMASTER
from residua.convert.blog import BLOG
from residua.convert.chenyaofo import CHENYAOFO
from residua.convert.kuangliu import KUANGLIU
from residua.convert.layout import Layout

LAYOUTS: tuple[Layout, ...] = (BLOG, KUANGLIU, AKAMASTER, CHENYAOFO, *torchvision.LAYOUTS, *timm.LAYOUTS)


def libraries() -> dict[str, list[str]]:
    """The libraries that are known, sorted, and the families of each."""
    known: dict[str, set[str]] = {}
    for layout in LAYOUTS:
        known.setdefault(layout.library, set()).update(layout.families)
    return {library: sorted(known[library]) for library in sorted(known)}


def written() -> list[str]:
    """The libraries that networks can be written for, sorted."""
    return sorted({layout.library for layout in LAYOUTS if not layout.read_only})
