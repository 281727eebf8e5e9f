"""Layer responses (He et al. 2015, sec. 4.2 and Figure 7): how much each 3x3 layer changes the signal."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from residua.analysis.unit_parts import Kind, kind_of
from residua.analysis.untouched import untouched
from residua.nn import residual_units

_CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)


@dataclass(frozen=True, kw_only=True)
class LayerResponse:
    """Standard deviation of the response of one 3x3 layer, over all images, channels and pixels."""

    unit: str  # name of the unit; of what holds the layer, if it stands in no unit (a stem)
    layer: str  # name of the convolution
    kind: Kind  # layers outside units count as plain: nothing goes round them
    std: float


def response(model: nn.Module, images: Tensor) -> list[LayerResponse]:
    """The responses of all 3x3 (3x3x3) convolutions that stand on no shortcut, in the order of computation.

    A response is taken after the norm that follows the convolution, before the activation or the addition; where
    none follows (the last layer of a pre-activation branch), it is the convolution's own output. ``images`` is
    ``(N, C, H, W)``, normalised as in training. The model is measured in the mode that it is in (``eval()`` uses the
    learned batch statistics, as when it predicts) and is afterwards unchanged.
    """
    units = residual_units(model)
    shortcuts = tuple(f"{name}.shortcut." for name in units)
    found: list[dict[str, Any]] = []
    waiting: list[tuple[Tensor, dict[str, Any]]] = []  # the last convolution's output, until a norm takes it

    def after_conv(name: str, _: nn.Module, __: Any, output: Tensor) -> None:
        unit = max((u for u in units if f"{name}.".startswith(f"{u}.")), key=len, default=None)
        entry = {
            "unit": name.rpartition(".")[0] if unit is None else unit,
            "layer": name,
            "kind": "plain" if unit is None else kind_of(units[unit]),
            "std": _std(output),
        }
        found.append(entry)
        waiting[:] = [(output, entry)]

    def after_norm(_: nn.Module, args: Any, output: Tensor) -> None:
        if waiting and waiting[0][0] is args[0]:
            waiting.pop()[1]["std"] = _std(output)

    with untouched(model) as handles, torch.no_grad():
        for name, module in model.named_modules():
            if f"{name}.".startswith(shortcuts):
                continue
            # measured inside the hook: a later activation in place would change the value
            if isinstance(module, _CONVS) and set(module.kernel_size) == {3}:
                handles.append(module.register_forward_hook(partial(after_conv, name)))
            elif isinstance(module, _NORMS):
                handles.append(module.register_forward_hook(after_norm))
        model(images)
    return [LayerResponse(**entry) for entry in found]


def _std(values: Tensor) -> float:
    return float(values.float().std(correction=0))
