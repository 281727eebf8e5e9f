"""Markup that escapes by itself: every text that is not already markup is escaped, wherever it came from."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

VOID = frozenset({"img", "meta", "link"})
# What HTML cannot carry: control characters and lone surrogates, which JSON can smuggle in as \\ud800.
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def escape(text: object) -> Html:
    """``text`` as markup that shows it; markup is returned as it is."""
    if isinstance(text, Html):
        return text
    return Html(html.escape(UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", str(text))))


def join(parts: Iterable[object]) -> Html:
    """The parts one after the other, escaped where they are not markup."""
    return Html("".join(escape(part) for part in parts))


def element(tag: str, *children: object, **attributes: object) -> Html:
    """An element. ``class_`` stands for ``class``, other underscores for hyphens; None leaves one out."""
    shown = (
        f' {name.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    start = f"<{tag}{''.join(shown)}>"
    return Html(start if tag in VOID else f"{start}{join(children)}</{tag}>")


def table(head: Iterable[object], rows: Iterable[Iterable[object]], *, kind: str = "") -> Html:
    """A table in a box that scrolls by itself; the first cell of a row is its header."""
    body = [
        element(
            "tr",
            *(element("td" if i else "th", cell, scope=None if i else "row") for i, cell in enumerate(row)),
        )
        for row in rows
    ]
    header = element("tr", *(element("th", cell, scope="col") for cell in head))
    whole = element("table", element("thead", header), element("tbody", *body))
    return element("div", whole, class_=f"scroll {kind}".strip())


def bar(share: float, text: str) -> Html:
    """A table cell's text with a bar of ``share`` (in [0, 1]) of the cell's width behind it."""
    return element("span", text, class_="bar", style=f"--share:{min(max(share, 0.0), 1.0):.4f}")
