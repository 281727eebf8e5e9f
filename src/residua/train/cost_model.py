"""When compiling pays: what the steps of a training take, eager and compiled, against what compiling takes.

Functions of seconds alone; nothing is measured here.
"""

from __future__ import annotations

from collections.abc import Mapping

EAGER = "off"
PROBE_STEPS = (
    4  # that are timed, the first of them not counted, before it is known whether more is worth trying
)
_PROBE_SHARE = 0.01  # of a training that these may take
TRIAL_SHARE = 0.05  # of a training that finding out whether compiling pays may take
# Seconds below which no network was ever compiled, its code at hand or not; and how far wrong an estimate from tables
# can be. A training that these rule out is not even timed.
LEAST_COMPILING = 3.0
_TABLES_ERR = 4.0
# Compiling an unknown network, its code not at hand: seconds a module, until a network was compiled on this machine.
# ResNet-20 has 64 modules with something to compute and took 45 s on two cores.
SECONDS_A_MODULE = 0.7
_NOISE = 0.02  # of a step, below which a gain is none


def worth_timing(steps: float, estimate: float) -> bool:
    """Whether a training of about ``estimate`` seconds could earn a compilation back, so that it is worth a look."""
    long_enough = _TABLES_ERR * estimate * TRIAL_SHARE >= LEAST_COMPILING
    return long_enough and steps * _PROBE_SHARE >= PROBE_STEPS


def worth_trying(steps: float, eager: float, compiling: float) -> bool:
    """Whether to compile and see: eager steps of ``eager`` seconds, ``compiling`` seconds expected."""
    return compiling + 2 * PROBE_STEPS * eager <= TRIAL_SHARE * steps * eager


def quickest(steps: float, seconds: Mapping[str, float], compiling: Mapping[str, float]) -> str:
    """The way that ends first: its steps of so many seconds, and what compiling it takes; ``EAGER`` takes none.

    One that gains no more than noise is not chosen.
    """
    ended = {EAGER: steps * seconds[EAGER]}
    for way, step in seconds.items():
        if way != EAGER and step < (1 - _NOISE) * seconds[EAGER]:
            ended[way] = steps * step + compiling[way]
    return min(ended, key=lambda way: ended[way])
