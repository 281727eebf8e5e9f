"""What a unit is to the looks: residual or plain, what its branch sees and adds, which rows are of one image.

Its merge knows (``residua.nn.merge``): nothing here names a merge of the residual kind.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from residua.nn import BranchOnly, ContextModule, Residual
from residua.nn.merge import Sum

Kind = Literal["residual", "plain"]


def kind_of(unit: Residual) -> Kind:
    """``"plain"`` for a unit that merges its branch alone."""
    return "plain" if isinstance(unit.merge, BranchOnly) else "residual"


def branch_of(unit: Residual, x: Tensor, context: dict[str, Any]) -> Tensor:
    """F(x): the branch alone, scaled as stochastic depth scales it at test time (Huang et al. 2016, eq. 5)."""
    seen = unit.merge.read(x)
    takes = isinstance(unit.branch, ContextModule)
    return unit.drop_path(unit.branch(seen, **context) if takes else unit.branch(seen))


def added(unit: Residual, x: Tensor, shortcut: Tensor, branch: Tensor) -> Tensor:
    """What the branch adds to what the shortcut brings, as the merge weighs it; of no sum it is the branch."""
    return unit.merge.contribution(x, shortcut, branch) if isinstance(unit.merge, Sum) else branch


def terms(unit: Residual, x: Tensor, shortcut: Tensor, branch: Tensor) -> tuple[Tensor, Tensor]:
    """What the branch adds, and to what; of no sum the branch and the shortcut."""
    if isinstance(unit.merge, Sum):
        return added(unit, x, shortcut, branch), unit.merge.without_branch(x, shortcut)
    return branch, shortcut


def is_plain_sum(unit: Residual) -> bool:
    """Whether the unit is ``activation(shortcut + something)``: a sum that leaves the shortcut as it is."""
    return isinstance(unit.merge, Sum) and unit.merge.keeps_shortcut


def by_image(unit: Residual, values: Tensor) -> Tensor:
    """Values ``(N n, ...)`` at a unit of n streams as ``(N, ...)``: the streams of an image are one value."""
    streams = unit.merge.streams
    return values if streams == 1 else values.unflatten(0, (-1, streams))


def repeated(sample: Tensor, count: int) -> Tensor:
    """``count`` copies of a sample, whatever rows (streams) it has, in one batch."""
    return torch.cat([sample] * count)
