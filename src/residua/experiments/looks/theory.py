"""Looks of the theory: gradient and variance by depth, products of factors, units that transmit less than they get."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from residua.analysis.gradient import gradient_norms, layer_gradients
from residua.analysis.products import EXAMPLE, Scaled, gains, scalar_product
from residua.analysis.singular import singular_finding
from residua.analysis.variance import growth, variances
from residua.analysis.variants import Init, redraw
from residua.analysis.visits import exact_copy, visits
from residua.experiments.looks.inside import figures, shown
from residua.nn import Chain, Residual, without_borders, without_norms

_LAYERS = (1, 10, 50)  # of which a popular table prints gradients


def signal(
    network: Any,
    data: Any,
    seed: int,
    *,
    init: Init | None = None,
    norms: bool = True,
    borders: bool = True,
    images: int = 64,
    draws: int = 1,
) -> dict[str, Any]:
    """Gradient and variance by depth in a training step, in float64; of the network as it is, or drawn anew.

    Of several ``draws`` of the initialisation the figures are means, and the curves those of the first.

    ``log10_ratio``: gradient norm at the first unit's input over that at the last one's. ``log10_gain``: the same a
    unit, on the geometric mean. ``log10_layer_n``: norm at the weights of the n-th convolution. ``layer_factor`` and
    ``unit_factor``: by what one layer (unit) multiplies the variance, forward; ``..._back`` of the gradient.
    ``borders=False`` lets convolutions wrap round, as the theory does not count borders.
    """
    model = exact_copy(network if norms else without_norms(network)).train()
    model = model if borders else without_borders(model)
    pixels, labels = shown(data, images, "train")
    found = []
    for number in range(seed * draws, (seed + 1) * draws):
        if init is not None:
            redraw(model, init, number)
        found.append(_signal(model, pixels.double(), labels, number))
    return {
        name: math.fsum(one[name] for one in found) / draws if isinstance(value, float) else value
        for name, value in found[0].items()
    }


def _signal(model: nn.Module, pixels: Tensor, labels: Tensor, seed: int) -> dict[str, Any]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # dropout and drop path draw
        units = gradient_norms(model, pixels, labels)
        spots = variances(model, pixels, labels)
        weights = {g.layer: g.gradient for g in layer_gradients(model.requires_grad_(), pixels, labels)}
    convolutions = [weights[name] for name, m in model.named_modules() if isinstance(m, nn.Conv2d)]
    layer, unit = growth(spots, "layer"), growth(spots, "unit")
    found = {
        "log10_ratio": _log10(units[0].norm / units[-1].norm) if units[-1].norm else None,
        "log10_gain": _log10(gains("", units).mean),
        "first_norm": units[0].norm,
        "last_norm": units[-1].norm,
        "layer_factor": layer.forward,
        "layer_factor_back": layer.backward,
        "unit_factor": unit.forward,
        "unit_factor_back": unit.backward,
        "x": list(range(1, len(units) + 1)),
        "x_label": "unit, from input to output",
        "gradient_norm": [u.norm for u in units],
        "forward_variance": [spot.forward for spot in spots if spot.place == "unit"],
    }
    for number in _LAYERS:
        if number <= len(convolutions):
            found[f"log10_layer_{number}"] = _log10(convolutions[number - 1])
    return found


def scalar_growth(network: Any, data: Any, seed: int, *, factor: float) -> dict[str, Any]:
    """``factor ** L`` as autograd finds it in L residual units, and how fast it grows with L.

    A power of L has one degree (the slope of log against log) whatever L is: ``degree_ratio`` is that from 2 L to 4 L
    over that from L to 2 L. It is 1 of every polynomial's leading power, and 2 of an exponential.
    """
    lengths = [EXAMPLE * 2**k for k in range(3)]
    logs = [math.log2(scalar_product(factor, length).gradient) for length in lengths]
    return {
        "product": scalar_product(factor).gradient,
        "degree": logs[1] - logs[0],
        "degree_ratio": (logs[2] - logs[1]) / (logs[1] - logs[0]),
        "x": lengths,
        "x_label": "number of units",
        "log2_product": logs,
    }


def transmitted(
    network: Any, data: Any, seed: int, *, construction: str | None = None, images: int = 32
) -> dict[str, Any]:
    """The smallest and the largest factor by which gradients are multiplied on their way back.

    Of a network: over all images and all units that keep the shape, in evaluation mode and float64. Of a construction:
    the singular values of its Jacobian, over 99 units or one.
    """
    if construction is not None:
        values = torch.linalg.svdvals(_CONSTRUCTIONS[construction](seed))
        return {"least": float(values.min()), "greatest": float(values.max())}
    pixels, labels = shown(data, images)
    found = [
        visit.x_grad.flatten(1).norm(dim=1) / visit.y_grad.flatten(1).norm(dim=1)
        for visit in visits(network, pixels, labels)
        if visit.keeps_shape
    ]
    factors = torch.stack(found)  # (units, N)
    return {
        "least": float(factors.min()),
        "greatest": float(factors.max()),
        "below_1": 100 * float((factors < 1).double().mean()),
        "x": list(range(1, len(found) + 1)),
        "x_label": "unit, from input to output",
        "least_by_unit": factors.min(1).values.tolist(),
    }


def singular_values(network: Any, data: Any, seed: int, *, most: int = 512) -> dict[str, Any]:
    """Of the product of I + J over a network's longest run of units, at one image; the curves scale the branches.

    See ``residua.analysis.singular``; ``most`` values in a map.
    """
    return figures(singular_finding(network, *shown(data, 1), most=most), 0)


def _jacobian(*branches: nn.Module, width: int) -> Tensor:
    """The Jacobian, by autograd, of real residual units with these branches in a row."""
    chain = Chain(*(Residual(branch) for branch in branches))
    return torch.autograd.functional.jacobian(chain, torch.zeros(width, dtype=torch.float64))  # type: ignore[return-value]


def _linear(matrix: Tensor) -> nn.Module:
    layer = nn.Linear(len(matrix), len(matrix), bias=False, dtype=matrix.dtype).requires_grad_(False)
    layer.weight.copy_(matrix)
    return layer


def _random(seed: int, width: int = 32, norm: float = 0.1) -> Tensor:
    """99 units whose branches are random matrices of a spectral norm of 0.1."""
    generator = torch.Generator().manual_seed(seed)
    drawn = [torch.randn(width, width, generator=generator, dtype=torch.float64) for _ in range(EXAMPLE)]
    return _jacobian(*(_linear(norm * m / torch.linalg.matrix_norm(m, 2)) for m in drawn), width=width)


_CONSTRUCTIONS: dict[str, Callable[[int], Tensor]] = {
    "negation": lambda seed: _jacobian(Scaled(-1.0), width=2),
    "opposed": lambda seed: _jacobian(*(Scaled(-0.1) for _ in range(EXAMPLE)), width=2),
    "aligned": lambda seed: _jacobian(*(Scaled(0.1) for _ in range(EXAMPLE)), width=2),
    "random": _random,
    # both eigenvalues of this branch are 0, and so is its spectral radius; its norm is 10
    "nilpotent": lambda seed: _jacobian(
        _linear(torch.tensor([[0.0, 10.0], [0.0, 0.0]], dtype=torch.float64)), width=2
    ),
}


def _log10(value: float) -> float | None:
    return math.log10(value) if value > 0 and math.isfinite(value) else None
