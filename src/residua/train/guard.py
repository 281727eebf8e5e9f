"""A training that diverges goes back to its last good epoch, with lower rates, instead of ending in nonsense.

Every step's loss is looked at: one that is not finite, or many times that of a network that knows nothing, is no
accident of a batch. So is an epoch whose mean is a few times that. An epoch that passes is kept whole beside the
checkpoint. What follows is a function of the losses alone, and a resumed training backs off where the whole one did.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from residua.errors import ResiduaError
from residua.spec import Recipe
from residua.train.accumulate import tensors_of

MOST = 5  # times that a training backs off before it is given up
_STEP, _EPOCH = 10.0, 3.0  # times chance, that the loss of a step and the mean of an epoch may be


def mean_loss(sums: Mapping[str, Any]) -> float:
    """The loss of a sample, from the sums of a step."""
    return float(sums["loss"]) / max(float(sums["count"]), 1)


class Diverged(Exception):
    """The loss at a step says that the training has left the way."""

    def __init__(self, step: int, loss: float) -> None:
        super().__init__(f"loss {loss:g} at step {step}")
        self.step, self.loss = step, loss


@dataclass
class Guard:
    """Looks at the losses of a training; one whose recipe says ``backoff`` is told of those that are far off.

    Args:
        recipe: of the training.
        chance: the loss of knowing nothing.
        checkpoint: where the training goes on from, and
        saved: the step that it holds.

    """

    recipe: Recipe
    chance: float | None
    checkpoint: Path | None = None
    saved: int = 0
    # the first one that was seen, and the last before the present
    _losses: list[float] = field(default_factory=list)

    def look_at_step(self, step: int, loss: float, batch: Any = None) -> None:
        """Raise Diverged at the loss of a batch that is beyond all chance, ResiduaError at one that is not finite."""
        self._look(step, loss, _STEP)
        self.finite(step, loss, batch)
        self._losses = [*self._losses[:1], loss]

    def look_at_epoch(self, epoch: int, step: int, loss: float) -> None:
        """Raise Diverged at the mean loss of an epoch that is far above chance; the first starts where it starts."""
        self._look(step, loss, _EPOCH if epoch else _STEP)

    def look_at_weights(self, step: int, networks: Iterable[nn.Module]) -> None:
        """Raise the same for weights that the step has made infinite or NaN, which no checkpoint may hold."""
        if not all(bool(p.isfinite().all()) for network in networks for p in network.parameters()):
            self._look(step, math.nan, _STEP)
            raise ResiduaError(f"the weights are no longer finite after step {step}: {self._told(None)}")

    def _look(self, step: int, loss: float, most: float) -> None:
        within = math.isfinite(loss) and (self.chance is None or loss <= most * self.chance)
        if self.recipe.backoff is not None and not within:
            raise Diverged(step, loss)

    def finite(self, step: int, value: float, batch: Any = None) -> float:
        """The value itself. Raises ResiduaError if it is not finite, with the likely reason and the last checkpoint."""
        if not math.isfinite(value):
            raise ResiduaError(f"the loss is no longer finite at step {step}: {self._told(batch)}")
        return value

    def _told(self, batch: Any) -> str:
        """The likely reason, what to do, and where the training stood before."""
        smaller = "try a smaller --lr, --set recipe.clip_norm=1 or --set recipe.backoff=0.25"
        if any(part.is_floating_point() and not bool(part.isfinite().all()) for part in tensors_of(batch)):
            why = "the batch itself holds numbers that are not finite: look at the data"
        elif self._losses:
            first, last = self._losses[0], self._losses[-1]
            why = f"it went from {first:.4g} to {last:.4g} with a learning rate of {self.recipe.lr:g}: {smaller}"
        elif self.saved:
            why = f"a learning rate of {self.recipe.lr:g} may be too large: {smaller}"
        else:
            why = (
                "from the first step on, so that the network itself gives it: look at its weights, or "
                + smaller
            )
        return why + self._where()

    def _where(self) -> str:
        return "" if self.checkpoint is None else f"; {self.checkpoint} holds step {self.saved}, before that"

    def factor(self, backoffs: int) -> float:
        """What rates are multiplied by after so many times."""
        return 1.0 if self.recipe.backoff is None else self.recipe.backoff**backoffs

    def check_again(self, backoffs: int, found: Diverged) -> None:
        """Raise ResiduaError if the training has backed off too often."""
        if backoffs >= MOST:
            raise ResiduaError(
                f"the training diverges ({found}), also with a learning rate of "
                f"{self.recipe.lr * self.factor(backoffs):.2g}: try a smaller --lr, or look at the data"
                f"{self._where()}"
            )
