"""Rules: from what was measured to a verdict. Pure functions of numbers; none imports torch."""

from residua.experiments.rules.directions import Contrast, above, alike, below, between, greater
from residua.experiments.rules.ensemble import EnsembleGain
from residua.experiments.rules.ruling import Rule, Verdict, judge
from residua.experiments.rules.values import Number, Within, at_least, at_most, exactly, published_errors

__all__ = [
    "Contrast",
    "EnsembleGain",
    "Number",
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
    "published_errors",
]
