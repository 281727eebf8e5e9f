"""Gradient and variance by depth in a training step, as the figures that claims about initialisation are judged by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from residua.analysis.finding import Cell, Finding, lines, rows_of_figures
from residua.looks.base import Look, Subject
from residua.parts import register

if TYPE_CHECKING:
    from torch import Tensor, nn

_LAYERS = (1, 10, 50)  # of which a popular table prints gradients


@register
@dataclass(frozen=True, kw_only=True)
class Signal(Look):
    """Gradient and variance by depth in a training step, in float64; of the network as it is, or drawn anew.

    Of several ``draws`` of the initialisation the figures are means, and the curves those of the first.

    ``log10_ratio``: gradient norm at the first unit's input over that at the last one's. ``log10_gain``: the same a
    unit, on the geometric mean. ``log10_layer_n``: norm at the weights of the n-th convolution. ``layer_factor`` and
    ``unit_factor``: by what one layer (unit) multiplies the variance, forward; ``..._back`` of the gradient.
    ``borders=False`` lets convolutions wrap round, as the theory does not count borders.
    """

    kind: ClassVar[str] = "signal"
    about: ClassVar[str] = "gradient and variance by depth in a training step, as it is or drawn anew"
    split: ClassVar[str] = "train"
    float64: ClassVar[bool] = True
    panel: ClassVar[int | None] = 0

    init: Literal["He", "Xavier"] | None = None
    norms: bool = True
    borders: bool = True
    draws: int = 1

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        from residua.analysis.unit_calls import exact_copy
        from residua.analysis.variants import redraw
        from residua.nn import without_borders, without_norms

        model = exact_copy(subject.model if self.norms else without_norms(subject.model)).train()
        model = model if self.borders else without_borders(model)
        measured = []
        for number in range(subject.seed * self.draws, (subject.seed + 1) * self.draws):
            if self.init is not None:
                redraw(model, self.init, number)
            measured.append(_measure(model, subject.images, subject.labels, number))
        (first, curves), *_ = measured
        values = {
            name: math.fsum(one[name] for one, _ in measured) / self.draws
            if isinstance(value, float)
            else value
            for name, value in first.items()
        }
        return Finding(
            kind=self.kind,
            title="Signal by depth",
            **rows_of_figures(values),
            sentence=f"The gradient is {values['first_norm']:.3g} at the first unit and {values['last_norm']:.3g} at "
            f"the last; a unit multiplies the variance by {values['unit_factor']:.3g} forward.",
            panels=[
                lines("Signal by depth", "norm; variance", curves),
            ],
        )


def _measure(
    model: nn.Module, images: Tensor, labels: Tensor, seed: int
) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """Figures and curves of one draw."""
    import torch
    from torch import nn

    from residua.analysis.gains import gains
    from residua.analysis.gradient import gradient_norms, layer_gradients
    from residua.analysis.signal_variance import growth, variances

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # dropout and drop path draw
        units = gradient_norms(model, images, labels)
        spots = variances(model, images, labels)
        weights = {g.layer: g.gradient for g in layer_gradients(model.requires_grad_(), images, labels)}
    convolutions = [weights[name] for name, m in model.named_modules() if isinstance(m, nn.Conv2d)]
    layer, unit = growth(spots, "layer"), growth(spots, "unit")
    figures: dict[str, Cell] = {
        "log10_ratio": _log10(units[0].norm / units[-1].norm) if units[-1].norm else None,
        "log10_gain": _log10(gains("", units).mean),
        "first_norm": units[0].norm,
        "last_norm": units[-1].norm,
        "layer_factor": layer.forward,
        "layer_factor_back": layer.backward,
        "unit_factor": unit.forward,
        "unit_factor_back": unit.backward,
    }
    for number in _LAYERS:
        if number <= len(convolutions):
            figures[f"log10_layer_{number}"] = _log10(convolutions[number - 1])
    return figures, {
        "gradient norm": [u.norm for u in units],
        "forward variance": [spot.forward for spot in spots if spot.place == "unit"],
    }


def _log10(value: float) -> float | None:
    return math.log10(value) if value > 0 and math.isfinite(value) else None
