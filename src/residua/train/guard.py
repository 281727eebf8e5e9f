"""A training that diverges goes back to its last good epoch, with lower rates, instead of ending in nonsense.

Every step's loss is looked at: one that is not finite, or many times that of a network that knows nothing, is no
accident of a batch. So is an epoch whose mean is a few times that. An epoch that passes is kept whole beside the
checkpoint. What follows is a function of the losses alone, and a resumed training backs off where the whole one did.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from residua.errors import ResiduaError
from residua.spec import Recipe

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


@dataclass(frozen=True)
class Guard:
    """Looks at the losses of a training whose recipe says ``backoff``; ``chance``: the loss of knowing nothing."""

    recipe: Recipe
    chance: float | None

    def look_at_step(self, step: int, loss: float) -> None:
        """Raise Diverged at the loss of a batch that is beyond all chance."""
        self._look(step, loss, _STEP)

    def look_at_epoch(self, epoch: int, step: int, loss: float) -> None:
        """Raise Diverged at the mean loss of an epoch that is far above chance; the first starts where it starts."""
        self._look(step, loss, _EPOCH if epoch else _STEP)

    def _look(self, step: int, loss: float, most: float) -> None:
        within = math.isfinite(loss) and (self.chance is None or loss <= most * self.chance)
        if self.recipe.backoff is not None and not within:
            raise Diverged(step, loss)

    def finite(self, step: int, value: float) -> float:
        """The value itself. Raises ResiduaError if it is not finite."""
        if not math.isfinite(value):
            raise ResiduaError(
                f"the loss is no longer finite at step {step}: try a smaller --lr (it was {self.recipe.lr:g})"
            )
        return value

    def factor(self, backoffs: int) -> float:
        """What rates are multiplied by after so many times."""
        return 1.0 if self.recipe.backoff is None else self.recipe.backoff**backoffs

    def check_again(self, backoffs: int, found: Diverged) -> None:
        """Raise ResiduaError if the training has backed off too often."""
        if backoffs >= MOST:
            raise ResiduaError(
                f"the training diverges ({found}), also with a learning rate of "
                f"{self.recipe.lr * self.factor(backoffs):.2g}: try a smaller --lr, or look at the data"
            )
