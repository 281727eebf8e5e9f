"""Layer responses (He et al. 2015, sec. 4.2 and Figure 7): how much each 3x3 layer changes the signal."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from residua.analysis.finding import Curve, Finding, Panel
from residua.analysis.taps import Kind, kind_of, predicting, untouched
from residua.errors import UsageError
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


def response_finding(model: nn.Module, images: Tensor, labels: Tensor) -> Finding:
    """Figure 7 of He et al. 2015: the responses in the order of the layers, and sorted by size.

    ``images`` is ``(N, C, H, W)``, normalised as in training; ``labels`` are not looked at. Measured as the network
    predicts. Raises UsageError for a network without 3x3 convolutions.
    """
    with predicting(model):
        layers = response(model, images)
    if not layers:
        raise UsageError("the network has no 3x3 convolutions: He et al. 2015 measure the responses of those")
    stds = [layer.std for layer in layers]
    ranked = sorted(stds, reverse=True)
    number = range(1, len(stds) + 1)
    mean, median = statistics.fmean(stds), statistics.median(stds)
    y_label = "standard deviation of the response"
    return Finding(
        kind="response",
        title="Layer responses",
        columns=("number", "layer", "unit", "kind", "std"),
        rows=[
            (i, layer.layer, layer.unit, layer.kind, layer.std)
            for i, layer in zip(number, layers, strict=True)
        ],
        values={
            "layers": len(stds),
            "mean_std": mean,
            "median_std": median,
            "largest_std": ranked[0],
            "smallest_std": ranked[-1],
        },
        sentence=f"The responses of the {len(stds)} 3x3 layers have a standard deviation of {mean:.3g} on average, "
        f"{median:.3g} in the middle, and lie between {ranked[-1]:.3g} and {ranked[0]:.3g}; He et al. 2015 (Figure 7) "
        "found smaller ones in residual than in plain networks, and in deeper than in shallower residual ones.",
        panels=[
            Panel(
                title="In the order of the layers",
                x_label="3x3 layer, from input to output",
                y_label=y_label,
                curves=[Curve(label="response", x=number, y=stds)],
            ),
            Panel(
                title="Sorted by size",
                x_label="3x3 layer, sorted by size",
                y_label=y_label,
                curves=[Curve(label="response", x=number, y=ranked)],
            ),
        ],
    )


def _std(values: Tensor) -> float:
    return float(values.float().std(correction=0))
