"""Numbers as the report prints them."""

from __future__ import annotations

import math
from typing import Any

WHOLE = 1e15  # a float holds no unit beyond


def percent(share: float | None) -> str:
    """A share in [0, 1] as a percentage."""
    return "–" if share is None or not math.isfinite(share) else f"{100 * share:.2f}\N{NO-BREAK SPACE}%"


def count(n: int | None) -> str:
    """A whole number with thousands separated."""
    return "–" if n is None else f"{n:,}"


def short(value: float | None) -> str:
    """A number with four significant digits and a unit prefix above a thousand."""
    if value is None or not math.isfinite(value):
        return "–"
    for size, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}\N{NO-BREAK SPACE}{prefix}"
    return f"{value:.4g}"


def duration(seconds: float | None) -> str:
    """Seconds as a person reads them: ``12.3 s``, ``4 min 05 s``, ``3 h 07 min``."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def figure(value: float | None) -> str:
    """A measured number: whole ones with their thousands separated, others with four significant digits."""
    if value is None or not math.isfinite(value):
        return "–"
    if float(value).is_integer() and abs(value) < WHOLE:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def spread(mean: float | None, sd: float | None) -> str:
    """A mean with its standard deviation over seeds, where there is one that is not zero."""
    return figure(mean) if not sd or not math.isfinite(sd) else f"{figure(mean)} ± {sd:.2g}"


def published_value(value: Any) -> str:
    """A published value, which may be text."""
    plain = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63
    return figure(value) if plain else str(value)[:80]
