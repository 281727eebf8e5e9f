"""Gradient by depth: plain and residual, with and without norms, after He and after Xavier; and over a training.

Write-ups say that gradients of plain networks vanish and that shortcuts prevent it. He et al. 2015 (sec. 4.1) found
"healthy norms" in their plain networks, thanks to batch normalisation: so it is measured with norms and without.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from residua.analysis.finding import Curve, Finding, Panel
from residua.analysis.gradient import EpochGradients, UnitGradient, gradient_norms, gradients_over_training
from residua.analysis.variants import Init, counterparts, variants
from residua.analysis.visits import exact_copy
from residua.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class GradientProfile:
    """The gradients at the units of one variant of a network, in a training step at its initialisation."""

    network: str
    init: Init
    norms: bool
    units: list[UnitGradient]

    @property
    def ratio(self) -> float:
        """The norm at the first unit's input over that at the last one's: below 1 it vanishes on its way."""
        return _ratio(self.units)


def gradient_profiles(
    networks: Mapping[str, nn.Module], images: Tensor, labels: Tensor, *, seed: int = 0
) -> list[GradientProfile]:
    """The gradients of freshly drawn networks, each with and without its norms, after He and after Xavier.

    In float64 and training mode (statistics of the batch). ``images`` is ``(N, C, H, W)`` with N of 2 or more,
    normalised as in training; ``labels`` int64 ``(N,)``; ``networks`` by name, of any depth. Raises UsageError for
    fewer images.
    """
    _enough(images)
    return [
        GradientProfile(
            network=variant.network,
            init=variant.init,
            norms=variant.norms,
            units=_drawn(variant.model, images, labels, seed),
        )
        for variant in variants(networks, seed=seed)
    ]


def gradients_finding(model: nn.Module, images: Tensor, labels: Tensor, *, seed: int = 0) -> Finding:
    """The gradient by depth of a network as it is, and of its variants at initialisation.

    ``<network>_<init>_<norms|bare>`` among the values is ``GradientProfile.ratio``.
    """
    profiles = gradient_profiles(counterparts(model), images, labels, seed=seed)
    given = _drawn(exact_copy(model).train(), images, labels, seed)
    rows = [("as given", None, None, *_summary(given))]
    rows += [(p.network, p.init, "yes" if p.norms else "no", *_summary(p.units)) for p in profiles]
    values = {f"{p.network}_{p.init.lower()}_{'norms' if p.norms else 'bare'}": p.ratio for p in profiles}
    return Finding(
        kind="gradients",
        title="Gradient by depth",
        columns=(
            "network",
            "init",
            "norms",
            "units",
            "norm at the first unit",
            "norm at the last unit",
            "first / last",
        ),
        rows=rows,
        values={
            "as_given": _ratio(given),
            **values,
            "units": len(given),
            "images": len(images),
            "seed": seed,
        },
        sentence=_sentence(profiles),
        panels=[
            _panel("As it is", {"as given": given}),
            *(
                _panel(
                    f"At initialisation, {'with' if norms else 'without'} norms",
                    {f"{p.network}, {p.init}": p.units for p in profiles if p.norms is norms},
                )
                for norms in (True, False)
                if any(p.norms is norms for p in profiles)
            ),
        ],
    )


def training_gradients_finding(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    states: Iterable[tuple[int, Mapping[str, Tensor]]] = (),
) -> Finding:
    """``gradients_over_training`` as a finding: a curve and a row an epoch. Raises UsageError without states."""
    _enough(images)
    found: Sequence[EpochGradients] = gradients_over_training(model, states, images, labels)
    if not found:
        raise UsageError("there is no state of the training to measure gradients at")
    first, last = found[0], found[-1]
    return Finding(
        kind="training",
        title="Gradient by depth over training",
        columns=("epoch", "units", "norm at the first unit", "norm at the last unit", "first / last"),
        rows=[(e.epoch, *_summary(e.units)) for e in found],
        values={"first_epoch": _ratio(first.units), "last_epoch": _ratio(last.units), "epochs": len(found)},
        sentence=(
            f"From epoch {first.epoch} to {last.epoch} the gradient at the first unit is {_ratio(first.units):.2g} and "
            f"then {_ratio(last.units):.2g} times that at the last one."
        ),
        panels=[_panel("Over training", {f"epoch {e.epoch}": e.units for e in found})],
    )


def _drawn(model: nn.Module, images: Tensor, labels: Tensor, seed: int) -> list[UnitGradient]:
    _enough(images)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # dropout and drop path draw
        return gradient_norms(model, images.double(), labels)


def _enough(images: Tensor) -> None:
    if len(images) < 2:
        raise UsageError("a training step needs at least 2 images: batch statistics of one are no statistics")


def _ratio(units: Sequence[UnitGradient]) -> float:
    return units[0].norm / units[-1].norm if units and units[-1].norm else math.nan


def _summary(units: Sequence[UnitGradient]) -> tuple[int, float, float, float]:
    return len(units), units[0].norm, units[-1].norm, _ratio(units)


def _sentence(profiles: Sequence[GradientProfile]) -> str:
    parts = []
    for norms in (True, False):
        chosen = [f"{p.network} {p.ratio:.2g} ({p.init})" for p in profiles if p.norms is norms]
        if chosen:
            parts.append(f"{'with' if norms else 'without'} norms: {', '.join(chosen)}")
    return f"Gradient norm at the first unit over that at the last, at initialisation {'; '.join(parts)}."


def _panel(title: str, units: Mapping[str, Sequence[UnitGradient]]) -> Panel:
    return Panel(
        title=title,
        x_label="unit, from input to output",
        y_label="L2 norm of the gradient at its input",
        curves=[
            Curve(label=label, x=range(1, len(row) + 1), y=[u.norm or math.nan for u in row])
            for label, row in units.items()
        ],
        log_y=True,
    )
