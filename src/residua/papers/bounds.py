"""Statements about one arm alone: a figure lies above or below a bound, on average over seeds. Imports no torch."""

from __future__ import annotations

from residua.papers.verdict import Contrast


def above(measure: str, arm: str, bound: float, *, text: str) -> Contrast:
    """``measure`` of ``arm`` is above ``bound``, by the sequential test."""
    return Contrast(text=text, measure=measure, weights={arm: 1.0}, bound=bound)


def below(measure: str, arm: str, bound: float, *, text: str) -> Contrast:
    """``measure`` of ``arm`` is below ``bound``, by the sequential test, which sees both with the other sign."""
    return Contrast(text=text, measure=measure, weights={arm: -1.0}, bound=-bound)


def between(measure: str, arm: str, low: float, high: float, *, text: str) -> tuple[Contrast, Contrast]:
    """``measure`` of ``arm`` is above ``low``, and below ``high``: two statements."""
    return (
        above(measure, arm, low, text=f"{text}: above {low:g}"),
        below(measure, arm, high, text=f"{text}: below {high:g}"),
    )
