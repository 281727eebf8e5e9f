"""Aligned columns of text. Imports no torch: a list of names must not wait for it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

WIDTH = 100


def columns(
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[int] = (),
    flexible: int | None = None,
    width: int = WIDTH,
) -> list[str]:
    """Rows as aligned lines; columns in ``right`` are flush right, a ``flexible`` one is wrapped to fit ``width``."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if flexible is not None:
        others = sum(widths) - widths[flexible] + 2 * (len(widths) - 1)
        widths[flexible] = min(max(widths[flexible], 1), max(width - others, 10))
    lines = []
    for row in rows:
        pieces = [] if flexible is None else textwrap.wrap(row[flexible], widths[flexible])
        for number, piece in enumerate(pieces or [""]):
            cells = [piece if i == flexible else cell if number == 0 else "" for i, cell in enumerate(row)]
            aligned = [
                c.rjust(w) if i in right else c.ljust(w)
                for i, (c, w) in enumerate(zip(cells, widths, strict=True))
            ]
            lines.append("  ".join(aligned).rstrip())
    return lines
