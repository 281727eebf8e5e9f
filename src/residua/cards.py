"""What notebooks show: a card of HTML that stands by itself, in the colours of the page it is on. Imports nothing.

Every text is escaped: names of runs, classes and files may be anybody's.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from residua.names import shown

_CARD = "border:1px solid;border-color:color-mix(in srgb,currentColor 30%,transparent);border-radius:6px;"
_CARD += "padding:.6em .9em;margin:.3em 0;max-width:60em;color:inherit;background:transparent"
_CELL = "text-align:left;padding:.15em 1.2em .15em 0;background:transparent;color:inherit"


def card(title: str, *parts: str) -> str:
    """A card: its title, and parts that are HTML already (``table``, ``text``, ``figure``)."""
    return f'<div style="{_CARD}"><b>{_told(title)}</b>{"".join(parts)}</div>'


def text(words: str) -> str:
    """A paragraph."""
    return f'<p style="margin:.4em 0">{_told(words)}</p>'


def page(words: str) -> str:
    """Text of fixed width, which scrolls where it is wider than the card."""
    lines = "\n".join(map(_told, words.splitlines()))
    return f'<pre style="overflow:auto;margin:.4em 0;background:transparent;color:inherit">{lines}</pre>'


def table(rows: Sequence[Sequence[object]], head: Sequence[str] = ()) -> str:
    """Rows whose first cell is their header."""
    top = "".join(f'<th scope="col" style="{_CELL}">{_told(cell)}</th>' for cell in head)
    lines = "".join(
        "<tr>"
        + f'<th scope="row" style="{_CELL};font-weight:500">{_told(row[0])}</th>'
        + "".join(f'<td style="{_CELL}">{_told(cell)}</td>' for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    opening = f"<thead><tr>{top}</tr></thead>" if head else ""
    whole = f'<table style="border-collapse:collapse">{opening}<tbody>{lines}</tbody></table>'
    return f'<div style="overflow:auto">{whole}</div>'


def figure(svg: bytes, title: str) -> str:
    """A picture that loads nothing from anywhere."""
    source = f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
    return f'<img src="{source}" alt="{_told(title)}" style="max-width:100%;background:white">'


def _told(value: object) -> str:
    return escape(shown(value))
