"""A copy of a network without something, to see what that does: its norms, its shortcuts, the borders of its maps."""

from __future__ import annotations

import copy

from torch import nn

from residua.errors import UsageError
from residua.nn.drop import DropPath
from residua.nn.merge import BranchOnly, Sum
from residua.nn.residual import residual_units

_NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)
_CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def without_norms(model: nn.Module) -> nn.Module:
    """A copy whose norms (batch, instance, group, layer, RMS) are identities. ``model`` is untouched."""
    copied = copy.deepcopy(model)
    if isinstance(copied, _NORMS):
        return nn.Identity()
    for module in list(copied.modules()):
        for name, child in module._modules.items():
            if isinstance(child, _NORMS):
                setattr(module, name, nn.Identity())
    return copied


def without_shortcuts(model: nn.Module) -> nn.Module:
    """A copy whose units are plain: the same branches and activations, nothing round them (so none can be dropped).

    ``model`` is untouched. Raises UsageError where a unit's branch alone has not the shape of its output (a
    concatenation, several streams), or may not have it (a merge of the user's own that is no ``Sum``).
    """
    copied = copy.deepcopy(model)
    for name, unit in residual_units(copied).items():
        if not isinstance(unit.merge, Sum | BranchOnly) or unit.merge.streams > 1:
            raise UsageError(
                f"unit {name} merges by {type(unit.merge).__name__}: it has no counterpart without a shortcut"
            )
        unit.merge, unit.shortcut, unit.drop_path = BranchOnly(), nn.Identity(), DropPath()
    return copied


def without_borders(model: nn.Module) -> nn.Module:
    """A copy whose zero-padded convolutions wrap round instead: every pixel has neighbours. ``model`` is untouched.

    Theory of variance (He et al. 2015b, sec. 2.2) counts k x k inputs to every pixel; on small maps many of them are
    padded zeros: of a 3x3 on 8x8 pixels 16 %, on 2x2 pixels 56 %.
    """
    copied = copy.deepcopy(model)
    for module in copied.modules():
        if (
            isinstance(module, _CONVS)
            and module.padding_mode == "zeros"
            and any(module._reversed_padding_repeated_twice)
        ):
            module.padding_mode = "circular"
    return copied
