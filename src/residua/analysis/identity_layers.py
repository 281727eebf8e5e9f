"""A deeper plain network that computes what a shallower one does: its units are identities (He et al. 2015, sec. 1)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from residua.analysis.unit_parts import kind_of
from residua.errors import UsageError
from residua.nn import Residual
from residua.registry import build


@torch.no_grad()
def deepened_by_identities(network: Any, images: Tensor, units: int) -> nn.Module:
    """A copy with ``units`` more plain units at the end of every stage, each the identity on maps >= 0 when predicting.

    Their convolutions pass every channel on, their norms undo themselves: scale and offset are deviation and mean of
    the maps, which are measured on ``images`` as the network takes them. Raises UsageError for a network whose stages
    are not plain units of convolution, norm and ReLU in the original order.
    """
    spec = network.spec
    stages: list[Any] = list(getattr(network, "stages", ()))
    if [len(stage) for stage in stages] != list(getattr(spec, "depths", ())) or any(
        not isinstance(unit, Residual) or kind_of(unit) != "plain" for stage in stages for unit in stage
    ):
        raise UsageError(f"{spec.name} has no stages of plain units that could be deepened")
    deeper: Any = build(spec.change(depths=[depth + units for depth in spec.depths])).eval()
    deeper = deeper.to(images.dtype)
    deeper.load_state_dict(network.state_dict(), strict=False)
    given = _outputs(network, stages, images)
    for stage, depth, maps in zip(deeper.stages, spec.depths, given, strict=True):
        for unit in list(stage)[depth:]:
            for module in unit.branch.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.dirac_(module.weight)
                elif isinstance(module, nn.BatchNorm2d):
                    _undone(module, maps)
    return deeper


def _undone(norm: nn.BatchNorm2d, maps: Tensor) -> None:
    mean, variance = maps.mean((0, 2, 3)), maps.var((0, 2, 3), correction=0)
    assert norm.running_mean is not None and norm.running_var is not None
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.weight.copy_((variance + norm.eps).sqrt())
    norm.bias.copy_(mean)


def _outputs(network: nn.Module, stages: list[Any], images: Tensor) -> list[Tensor]:
    given: list[Tensor] = []

    def left(_: nn.Module, __: Any, output: Any) -> None:
        given.append(output)

    handles = [stage.register_forward_hook(left) for stage in stages]
    try:
        network(images)
    finally:
        for handle in handles:
            handle.remove()
    return given
