"""Variance by depth at initialisation: of what flows forward, and of the gradient that flows back.

He et al. 2015b (sec. 2.2) choose the weights' variance so that a layer with ReLU keeps both; Glorot & Bengio 2010
(eq. 12) had chosen it for layers without one, and ReLU then halves them. That is a theory of plain networks: a sum adds
the variances of shortcut and branch, so a residual unit without norms about doubles it under He's initialisation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from residua.analysis.gradient import check_batch
from residua.analysis.unit_calls import classification_loss
from residua.analysis.untouched import untouched
from residua.analysis.variants import Init, counterparts, variants
from residua.errors import UsageError
from residua.nn import residual_units, without_borders

_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A place in a network, with the variances there over all images, channels and pixels."""

    name: str
    place: Literal[
        "layer", "unit"
    ]  # a layer's output before its activation; a unit's merge, before its activation
    shape: tuple[int, ...]  # without the batch
    forward: float  # of the values
    backward: float  # of the mean cross entropy's gradient


def variances(model: nn.Module, images: Tensor, labels: Tensor) -> list[Spot]:
    """Variances at the units' merges and at the convolutions and fully connected layers of their branches.

    In the order of computation. ``images`` is ``(N, C, H, W)``, ``labels`` int64 ``(N,)``. The model is measured in the
    mode that it is in and is afterwards unchanged.
    """
    found: list[dict[str, Any]] = []

    def seen(name: str, place: str, _: nn.Module, __: Any, output: Tensor) -> None:
        entry = {
            "name": name,
            "place": place,
            "shape": tuple(output.shape[1:]),
            "forward": _variance(output),
            "backward": 0.0,
        }
        found.append(entry)
        if output.requires_grad:
            output.register_hook(lambda grad: entry.__setitem__("backward", _variance(grad)))

    with untouched(model) as handles, torch.enable_grad():
        for name, unit in residual_units(model).items():
            handles.append(unit.merge.register_forward_hook(partial(seen, name, "unit")))
            for inner, layer in unit.branch.named_modules(prefix=f"{name}.branch"):
                if isinstance(layer, _LAYERS):
                    handles.append(layer.register_forward_hook(partial(seen, inner, "layer")))
        images = images.detach().clone().requires_grad_()
        loss = classification_loss(model(images), labels)
        sources = [images, *(p for p in model.parameters() if p.requires_grad)]
        torch.autograd.grad(loss, sources, allow_unused=True)
    return [Spot(**entry) for entry in found]


@dataclass(frozen=True, kw_only=True)
class Growth:
    """By what a step multiplies the variance, on the geometric mean of the steps that keep the shape.

    NaN where there is no such step, or no variance.
    """

    forward: float
    backward: float  # from output to input


def growth(spots: Sequence[Spot], place: Literal["layer", "unit"]) -> Growth:
    """The growth from a layer to the next, or from a unit to the next."""
    steps = [(a, b) for a, b in pairwise(s for s in spots if s.place == place) if a.shape == b.shape]
    return Growth(
        forward=_geometric_mean([_over(b.forward, a.forward) for a, b in steps]),
        backward=_geometric_mean([_over(a.backward, b.backward) for a, b in steps]),
    )


@dataclass(frozen=True, kw_only=True)
class VarianceProfile:
    """A variant of a network, drawn several times; spots are those of the first draw, growths the mean of all."""

    network: str
    init: Init
    norms: bool
    borders: bool  # False: convolutions wrap round instead of being padded with zeros
    spots: list[Spot]
    layer: Growth  # of plain networks; in residual ones the sum stands between a unit's last layer and the next one's
    unit: Growth

    @property
    def step(self) -> Literal["layer", "unit"]:
        """The smallest step that a factor can be told of."""
        return "layer" if self.network == "plain" and math.isfinite(self.layer.forward) else "unit"

    @property
    def growth(self) -> Growth:
        """That of ``step``."""
        return self.layer if self.step == "layer" else self.unit

    @property
    def label(self) -> str:
        """Such as ``plain_he_bare``."""
        parts = [self.network, self.init.lower(), "norms" if self.norms else "bare"]
        return "_".join([*parts, "borders"] if self.borders else parts)


def variance_profiles(
    model: nn.Module, images: Tensor, labels: Tensor, *, draws: int = 3, seed: int = 0
) -> list[VarianceProfile]:
    """The network and its counterpart without shortcuts, with and without norms, after He and Xavier, in float64.

    Theory counts no borders, so convolutions wrap round; networks without norms are measured with their zero padding
    too. One draw of a narrow network says little: ``draws`` of them, seeded from ``seed`` on, are averaged. Raises
    UsageError for a network without units or fewer than 1 draw or 2 images.
    """
    if draws < 1:
        raise UsageError(f"a network is drawn at least once, not {draws} times")
    check_batch(images)
    drawn: dict[tuple[str, Init, bool, bool], list[list[Spot]]] = {}
    for number in range(draws):
        for variant in variants(counterparts(model), seed=seed + number):
            endless = without_borders(variant.model)
            padded = any(getattr(m, "padding_mode", "") == "circular" for m in endless.modules())
            for borders in (False, True) if padded and not variant.norms else (False,):
                network = variant.model if borders else endless
                key = (variant.network, variant.init, variant.norms, borders)
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(seed + number)  # dropout and drop path draw
                    drawn.setdefault(key, []).append(variances(network, images.double(), labels))
    return [
        VarianceProfile(
            network=network,
            init=init,
            norms=norms,
            borders=borders,
            spots=many[0],
            layer=_mean([growth(spots, "layer") for spots in many]),
            unit=_mean([growth(spots, "unit") for spots in many]),
        )
        for (network, init, norms, borders), many in drawn.items()
    ]


def _variance(values: Tensor) -> float:
    wide = values.detach().to(torch.promote_types(values.dtype, torch.float32))
    return float(wide.var(correction=0))


def _over(a: float, b: float) -> float:
    return a / b if b else math.nan


def _geometric_mean(values: Sequence[float]) -> float:
    if not values or not all(value > 0 and math.isfinite(value) for value in values):
        return math.nan
    return math.exp(math.fsum(map(math.log, values)) / len(values))


def _mean(growths: Sequence[Growth]) -> Growth:
    return Growth(
        forward=_geometric_mean([g.forward for g in growths]),
        backward=_geometric_mean([g.backward for g in growths]),
    )
