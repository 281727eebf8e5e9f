"""Stochastic depth (Huang et al. 2016): the branch of a unit is dropped at random while training.

Two modes, with the scaling of the code that each is known from:

- ``"sample"`` (timm): each sample drops on its own; kept branches are divided by the keep probability while
  training, and evaluation changes nothing. The branch is computed for all samples.
- ``"batch"`` (Huang et al. 2016, sec. 3): the whole batch drops, and the branch's computation is really
  skipped; at test time the branch is multiplied by its survival probability. Parameters of a skipped branch get
  no gradient (``None``), so the optimiser leaves them alone in that step: no decay, no momentum.

The draws come from torch's CPU generator, which the training loop seeds by (seed, step): every rank decides alike.

A graph that is made once for every call (``torch.compile`` of the whole network, ``torch.export``, ``torch.fx``) cannot
skip by a draw. In ``"batch"`` mode it computes the branch always and draws at each call whether the merge sees it: the
same output and the same gradients, but those of a skipped branch are zero instead of ``None`` (so the optimiser decays
its weights and goes on with its momentum), its batch statistics move, and no time is saved. ``residua train`` compiles
the branches one by one, where a skipped one is really skipped.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from residua.errors import UsageError
from residua.nn.recording import captured


class DropPath(nn.Module):
    """Drops a branch with probability ``rate`` in [0, 1), per ``"sample"`` or per ``"batch"``."""

    def __init__(self, rate: float = 0.0, mode: Literal["sample", "batch"] = "sample") -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise UsageError(f"drop path rate must be in [0, 1), not {rate}")
        if mode not in ("sample", "batch"):
            raise UsageError(f"drop path mode must be 'sample' or 'batch', not {mode!r}")
        self.rate = rate
        self.mode = mode

    def skips_batch(self, x: Tensor) -> bool | Tensor:
        """Draw whether this batch skips the branch. False outside training and outside ``"batch"`` mode.

        While a graph is captured: a boolean tensor of no dimensions, which the graph draws at each call.
        """
        if not (self.training and self.rate and self.mode == "batch"):
            return False
        skips = _draw(x, self.rate)
        return skips if captured(x) else bool(skips)

    def forward(self, branch: Tensor) -> Tensor:
        """Drop and scale the branch's output ``(N, ...)``."""
        if not self.rate:
            return branch
        keep = 1 - self.rate
        if self.mode == "batch":
            return branch if self.training else branch * keep
        if not self.training:
            return branch
        return branch * kept_samples(branch, keep)

    def extra_repr(self) -> str:  # noqa: D102
        return f"rate={self.rate:g}, mode={self.mode!r}"


@torch.fx.wrap  # recorded as a call: what it gives is drawn when the graph runs
def _draw(x: Tensor, rate: float) -> Tensor:
    """True with probability ``rate``, on the device of ``x``."""
    return (torch.rand((), device="cpu") < rate).to(x.device)


@torch.fx.wrap
def kept_samples(branch: Tensor, keep: float) -> Tensor:
    """``(N, 1, ...)``: 0 for a sample that drops, ``1 / keep`` for one that stays."""
    shape = (branch.shape[0],) + (1,) * (branch.ndim - 1)
    mask = torch.rand(shape, device=branch.device) < keep
    return (mask / keep).to(branch.dtype)


def drop_path_rates(rule: Literal["linear", "uniform"], rate: float, units: int) -> list[float]:
    """Drop rates of the units, first to last.

    ``"linear"``: unit l of L drops with ``rate * l / L`` (Huang et al. 2016, eq. 4: p_l = 1 - l/L (1 - p_L)), so the
    last one drops with ``rate``; ``"uniform"``: all with ``rate``.
    """
    if rule == "uniform":
        return [rate] * units
    if rule == "linear":
        return [rate * ((index + 1) / units) for index in range(units)]  # the last exactly ``rate``
    raise UsageError(f"drop path rule must be 'linear' or 'uniform', not {rule!r}")
