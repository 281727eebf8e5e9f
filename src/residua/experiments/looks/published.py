"""A look into the papers' tables instead of a network: what is printed, for rules about popular quotations."""

from __future__ import annotations

from typing import Any

from residua.published import published


def published_figure(
    network: Any, data: Any, seed: int, *, table: str, model: str, key: str
) -> dict[str, Any]:
    """``printed``: 1 if the table has the figure, else 0; and its ``value``."""
    rows = [
        row for row in published().table(table).rows if row.model == model and row.values.get(key) is not None
    ]
    return {"printed": len(rows[:1]), "value": rows[0].values[key] if rows else None}
