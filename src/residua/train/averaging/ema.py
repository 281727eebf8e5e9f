"""The exponential moving average of the weights (Polyak & Juditsky 1992, with weights that fade)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from residua.parts import register
from residua.spec import Averaging, fraction


@register
@dataclass(frozen=True, kw_only=True)
class EMA(Averaging):
    """Each step the mean keeps ``decay`` of itself; statistics of batch norms are averaged alike.

    Early in a training it keeps less, (1 + step) / (10 + step): the random weights of the beginning would otherwise
    stay in it for about 1 / (1 - decay) steps (the usual correction, that of TensorFlow's ``num_updates``).
    """

    kind: ClassVar[str] = "ema"

    decay: float = 0.999

    def validate(self) -> None:  # noqa: D102
        fraction(self, "decay")

    def share(self, step: int, total_steps: int, epoch_steps: int) -> float:  # noqa: D102
        return 1 - min(self.decay, (1 + step) / (10 + step))
