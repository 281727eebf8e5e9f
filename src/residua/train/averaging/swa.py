"""Stochastic weight averaging (Izmailov et al. 2018, arXiv 1803.05407): the plain mean of the last epochs' weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from residua.parts import register
from residua.spec import Averaging, fraction, positive


@register
@dataclass(frozen=True, kw_only=True)
class SWA(Averaging):
    """The mean of the weights at the end of every epoch from ``start`` of the training on, and at its end.

    The mean of weights has no batch statistics of its own: before it is evaluated or kept, batch norms count theirs
    anew from ``norm_batches`` training batches, augmented as usual (sec. 3.2 of the paper). Of a rate that has fallen
    to zero there is nothing to average: ``one_cycle(until=0.75, end=0.25)`` stays at a quarter of it.
    """

    kind: ClassVar[str] = "swa"

    start: float = 0.75
    norm_batches: int = 100

    def validate(self) -> None:  # noqa: D102
        fraction(self, "start")
        positive(self, "norm_batches")

    def first(self, total_steps: int, epoch_steps: int) -> int:  # noqa: D102
        epochs = max(math.ceil(self.start * total_steps / epoch_steps), 1)
        return min(epochs * epoch_steps, total_steps)

    def share(self, step: int, total_steps: int, epoch_steps: int) -> float:  # noqa: D102
        first = self.first(total_steps, epoch_steps)
        if step < first or (step % epoch_steps and step != total_steps):
            return 0.0
        return 1 / (1 + math.ceil((step - first) / epoch_steps))

    def recounted(self) -> int:  # noqa: D102
        return self.norm_batches
