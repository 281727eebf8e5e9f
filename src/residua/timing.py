"""The one timing module: candidates run in turns within one run, so that a slow moment hits all of them.

Serves ``bench``, ``--tune`` and ``benchmarks/``. Imports no torch by itself; waits for a GPU in use.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from residua.errors import UsageError, nearest

SCHEMA = 1

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A median between two quantiles."""

    low: float
    median: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One candidate: seconds per call in each round, how many calls a round is the mean of; each call, if asked for."""

    calls: int
    seconds: tuple[float, ...]
    each: tuple[float, ...] = ()

    @property
    def quartiles(self) -> Spread:
        """Seconds per call: median between the quartiles."""
        return spread(self.seconds, 0.25)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Candidates timed in turns; ``baseline`` is the one that speed-ups refer to."""

    baseline: str
    warmup: int
    min_seconds: float
    timings: dict[str, Timing]

    def median(self, name: str) -> float:
        """Median seconds per call of a candidate."""
        return self.timings[name].quartiles.median

    def speedup(self, name: str) -> Spread:
        """Baseline's seconds over the candidate's, round by round (above 1: faster); 10 to 90 % of rounds."""
        pairs = zip(self.timings[self.baseline].seconds, self.timings[name].seconds, strict=True)
        return spread([base / own for base, own in pairs], 0.1)

    def to_dict(self) -> dict[str, Any]:
        """The comparison as JSON values, every round's seconds included, to be stored as evidence."""
        return {
            "schema": SCHEMA,
            "baseline": self.baseline,
            "rounds": len(self.timings[self.baseline].seconds),
            "warmup": self.warmup,
            "min_seconds": self.min_seconds,
            "candidates": {name: self._candidate(name) for name in self.timings},
        }

    def _candidate(self, name: str) -> dict[str, Any]:
        timing, quartiles, speedup = self.timings[name], self.timings[name].quartiles, self.speedup(name)
        return {
            "median_seconds": quartiles.median,
            "quartiles": [quartiles.low, quartiles.high],
            "speedup": speedup.median,
            "speedup_10_90": [speedup.low, speedup.high],
            "calls_per_round": timing.calls,
            "seconds": list(timing.seconds),
        }


def compare(
    candidates: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 7,
    warmup: int = 1,
    min_seconds: float = 0.1,
    baseline: str | None = None,
    each: bool = False,
) -> Comparison:
    """Time functions without arguments against each other, in turns: A B C, B C A, C A B, ...

    Args:
        candidates: name -> function; each is called in ``rounds`` rounds.
        rounds: how often every candidate gets its turn.
        warmup: calls of each candidate that are not counted (compilation, caches, the allocator).
        min_seconds: a turn repeats its function until it lasts about this long; 0 times single calls.
        baseline: the candidate that speed-ups refer to; the first one by default.
        each: also keep the time of every call by itself; on a GPU each one is then waited for.

    Raises:
        UsageError: no candidates, an unknown baseline, fewer than one round, a negative number.
    """
    if not candidates:
        raise UsageError("there is nothing to time: no candidates")
    names = list(candidates)
    baseline = names[0] if baseline is None else baseline
    if baseline not in candidates:
        raise UsageError(f"unknown baseline {baseline!r}{nearest(baseline, names)}")
    if rounds < 1 or warmup < 0 or min_seconds < 0:
        raise UsageError(
            f"needs rounds >= 1, warmup >= 0, min_seconds >= 0, not {rounds}, {warmup}, {min_seconds}"
        )

    calls = {}
    for name, run in candidates.items():
        for _ in range(warmup):
            run()
        single = 1.0 if min_seconds == 0 else _seconds_per_call(run, 1)
        calls[name] = max(1, round(min_seconds / max(single, 1e-9)))
    seconds: dict[str, list[float]] = {name: [] for name in names}
    single_calls: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            if each:
                taken = [once(candidates[name])[1] for _ in range(calls[name])]
                single_calls[name] += taken
                seconds[name].append(sum(taken) / len(taken))
            else:
                seconds[name].append(_seconds_per_call(candidates[name], calls[name]))
    timings = {
        name: Timing(calls=calls[name], seconds=tuple(seconds[name]), each=tuple(single_calls[name]))
        for name in names
    }
    return Comparison(baseline=baseline, warmup=warmup, min_seconds=min_seconds, timings=timings)


def once(run: Callable[[], T]) -> tuple[T, float]:
    """Call a function; its result and the seconds it took, the GPU's work included."""
    synchronize()
    start = time.perf_counter_ns()
    result = run()
    synchronize()
    return result, (time.perf_counter_ns() - start) / 1e9


def peak_flops(dtype: str = "float32", *, device: str = "cpu", size: int = 2048) -> float:
    """Floating-point operations per second of a square matrix product, measured: the ceiling for a network.

    A multiply and an add count as two; the best of several products of ``size`` x ``size`` matrices.
    """
    import torch

    kind = getattr(torch, dtype, None)
    if not isinstance(kind, torch.dtype) or not kind.is_floating_point:
        raise UsageError(
            f"{dtype!r} is no floating-point type of torch; known: float32, bfloat16, float16, float64"
        )
    left, right = (torch.randn(size, size, device=device).to(kind) for _ in range(2))
    return 2 * size**3 / _best(lambda: left @ right)


def bandwidth(*, device: str = "cpu", megabytes: int = 512) -> float:
    """Bytes per second of a copy in memory, measured; what is read and what is written both count.

    ``megabytes`` is the size of the source; it should be larger than the caches.
    """
    import torch

    source = torch.ones(megabytes * 2**20 // 4, device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() * source.element_size() / _best(lambda: target.copy_(source))


def spread(values: Sequence[float], tail: float) -> Spread:
    """The median, with the quantiles ``tail`` and ``1 - tail`` (linear between the values)."""
    import numpy as np

    low, median, high = map(float, np.quantile(values, [tail, 0.5, 1 - tail]))
    return Spread(low=low, median=median, high=high)


def synchronize() -> None:
    """Wait until the GPU has done what it was given, if this process uses one."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def _seconds_per_call(run: Callable[[], object], calls: int) -> float:
    def turn() -> None:
        for _ in range(calls):
            run()

    return once(turn)[1] / calls


def _best(run: Callable[[], object]) -> float:
    return min(compare({"it": run}, rounds=5, warmup=2).timings["it"].seconds)
