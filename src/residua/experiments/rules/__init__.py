"""Rules: from what was measured to a verdict. Pure functions of numbers; none imports torch."""

from residua.experiments.rules.directions import (
    Contrast,
    Interval,
    above,
    alike,
    below,
    between,
    greater,
    times,
)
from residua.experiments.rules.ensemble import EnsembleGain
from residua.experiments.rules.ruling import Reading, Rule, Verdict, judge
from residua.experiments.rules.values import (
    Number,
    Within,
    at_least,
    at_most,
    exactly,
    looked_up,
    published_errors,
)

__all__ = [
    "Contrast",
    "EnsembleGain",
    "Interval",
    "Number",
    "Reading",
    "Rule",
    "Verdict",
    "Within",
    "above",
    "alike",
    "at_least",
    "at_most",
    "below",
    "between",
    "exactly",
    "greater",
    "judge",
    "looked_up",
    "published_errors",
    "times",
]
