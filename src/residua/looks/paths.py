"""Paths by length, and how much gradient each length carries (Veit et al. 2016, sec. 4.3 and Figure 6)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.analysis.finding import Finding, Panel, lines
from residua.errors import UsageError
from residua.looks.base import Look, Subject
from residua.parts import register

if TYPE_CHECKING:
    from residua.analysis.path_gradients import PathGradient


@register
@dataclass(frozen=True, kw_only=True)
class Paths(Look):
    """Figure 6 of Veit et al. 2016: paths by length, gradient of a path by its length, and their product.

    ``part`` is the share of the gradient that the effective lengths carry, the fewest consecutive ones that do.
    Raises UsageError as ``path_gradients`` does."""

    kind: ClassVar[str] = "paths"
    about: ClassVar[str] = (
        "how many paths of which length there are, and the gradient that they carry (Veit et al. 2016, sec. 5)"
    )
    trained: ClassVar[bool] = True

    draws: int = 64
    part: float = 0.95

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        from residua.analysis.path_gradients import path_gradients, shares, shortest_interval
        from residua.nn import residual_units

        if not 0 < self.part <= 1:
            raise UsageError(f"part must be in (0, 1], not {self.part}")
        found = path_gradients(*subject.shown, draws=self.draws, seed=subject.seed)
        carried = shares(found)
        counts = [one.count for one in found]
        total = sum(counts)
        first, last = shortest_interval(carried, self.part)
        of_paths = sum(counts[first : last + 1]) / total
        mean_length = sum(k * count for k, count in enumerate(counts)) / total
        effective = math.fsum(k * share for k, share in enumerate(carried))
        return Finding(
            kind=self.kind,
            title="Paths by length",
            columns=("length", "paths", "norm_of_a_path", "standard_error", "share", "norm_together"),
            rows=[
                (one.length, one.count, one.norm, one.error, share, one.together)
                for one, share in zip(found, carried, strict=True)
            ],
            values={
                "units": len(residual_units(subject.model)),
                "paths": total,
                "mean_length": mean_length,
                "mean_length_by_gradient": effective,
                # of the gradients of each length together, which are exact: nothing is drawn
                "mean_length_together": math.fsum(one.length * one.together for one in found)
                / (math.fsum(one.together for one in found) or math.nan),
                "part": self.part,
                "effective_first": first,
                "effective_last": last,
                "share_of_paths": of_paths,
                "cancellation": _cancellation(found),
            },
            sentence=_sentence(found, carried, first, last),
            panels=[
                _panel("Number of paths", "number of paths", [_float(count) for count in counts]),
                _panel(
                    "Gradient of a single path",
                    "norm of the gradient at the image",
                    [one.norm for one in found],
                    log_y=True,
                ),
                _panel(
                    "Gradient of all paths of a length",
                    "number of paths times norm of one",
                    [_exp(one.log_total) for one in found],
                ),
                _panel(
                    "Gradient of all paths of a length together",
                    "norm of the sum of their gradients",
                    [one.together for one in found],
                ),
            ],
        )


def _sentence(found: Sequence[PathGradient], carried: Sequence[float], first: int, last: int) -> str:
    counts = [one.count for one in found]
    total = sum(counts)
    if total == 1:
        return f"The network is a single path of {last} branches: nothing goes round any of them."
    mean = sum(k * count for k, count in enumerate(counts)) / total
    effective = math.fsum(k * share for k, share in enumerate(carried))
    return (
        f"Of {_number(total)} paths, {mean:.1f} units long on average, those of {first} to {last} units carry "
        f"{math.fsum(carried[first : last + 1]):.1%} of the gradient (mean length by gradient {effective:.1f}); they "
        f"are {_percent(sum(counts[first : last + 1]) / total)} of the paths. In ResNet-110, with 54 units, Veit et "
        "al. 2016 found that almost all comes through paths of 5 to 17 units, 0.45 % of them."
    )


def _cancellation(found: Sequence[PathGradient]) -> float:
    """The norms of the sums, as part of the sums of the norms: 1 if all paths of a length pull alike.

    It can be above 1 by the error of the drawn norms alone.
    """
    logs = [one.log_total for one in found]
    return _exp(math.log(math.fsum(one.together for one in found) or math.nan) - _log_sum(logs))


def _log_sum(logs: Sequence[float]) -> float:
    largest = max(logs)
    return largest + math.log(math.fsum(math.exp(log - largest) for log in logs))


def _exp(log: float) -> float:
    return math.exp(log) if log < 709 else math.inf


def _float(count: int) -> float:
    return float(count) if count.bit_length() < 1024 else math.inf


def _number(count: int) -> str:
    return f"{count:,}" if count < 10**9 else f"10^{math.log10(count):.1f}"


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.01 else f"{share:.2g}" if share < 1e-5 else f"{share:.2%}"


def _panel(title: str, y_label: str, y: Sequence[float], *, log_y: bool = False) -> Panel:
    x_label = "length of the path (units whose branch it takes)"
    return lines(title, y_label, {"": y}, x=range(len(y)), x_label=x_label, log_y=log_y)
