"""How many paths there are of which length, by the structure of a network alone (Veit et al. 2016, sec. 4.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

from residua.analysis.finding import Finding, lines, rows_of_figures
from residua.errors import UsageError
from residua.looks.base import Look, Subject
from residua.parts import register


@register
@dataclass(frozen=True, kw_only=True)
class PathCounts(Look):
    """The share of a network's paths in ``ranges`` of lengths (name to first and last), in percent."""

    kind: ClassVar[str] = "path_counts"
    about: ClassVar[str] = "how many paths there are of which length, by the structure alone"
    images: ClassVar[int] = 1
    panel: ClassVar[int | None] = 0

    ranges: dict = field(default_factory=dict)

    def validate(self) -> None:  # noqa: D102
        for name, ends in self.ranges.items():
            if not isinstance(ends, list | tuple) or len(ends) != 2:
                raise UsageError(f"a range of lengths has a first and a last one, not {name} = {ends!r}")

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        import torch

        from residua.analysis.path_gradients import path_lengths

        counts = path_lengths(subject.model, torch.zeros_like(subject.images[:1]))
        total = sum(counts)
        return Finding(
            kind=self.kind,
            title="Paths by structure",
            **rows_of_figures(
                {
                    "units": len(counts) - 1,
                    "log2_paths": math.log2(total),
                    **{
                        name: 100 * sum(counts[first : last + 1]) / total
                        for name, (first, last) in self.ranges.items()
                    },
                }
            ),
            sentence=f"2^{math.log2(total):.4g} paths lead through {len(counts) - 1} units.",
            panels=[
                lines(
                    "Paths by length",
                    "share of the paths, percent",
                    {"share of paths": [100 * count / total for count in counts]},
                    x=range(len(counts)),
                    x_label="length of the path (units whose branch it takes)",
                )
            ],
        )
