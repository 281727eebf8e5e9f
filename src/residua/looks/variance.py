"""Variance by depth at initialisation: of what flows forward, and of the gradient that flows back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from residua.analysis.finding import Finding, Panel, lines, tabulated
from residua.looks.base import Look, Subject
from residua.parts import register

if TYPE_CHECKING:
    from residua.analysis.signal_variance import VarianceProfile


@register
@dataclass(frozen=True, kw_only=True)
class Variance(Look):
    """``variance_profiles`` as a finding.

    Among the values, ``plain_*`` is the factor of one layer (of one unit, where no two layers in a row give the same
    shape) and ``residual_*`` that of one unit, forward; ``*_backward`` the same of the gradient."""

    kind: ClassVar[str] = "variance"
    about: ClassVar[str] = (
        "the variance of signal and gradient by depth, initialised after He and after Xavier"
    )
    float64: ClassVar[bool] = True

    draws: int = 3

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        from residua.analysis.signal_variance import variance_profiles

        found = variance_profiles(*subject.shown, draws=self.draws, seed=subject.seed)
        values = {profile.label: profile.growth.forward for profile in found}
        values |= {f"{profile.label}_backward": profile.growth.backward for profile in found}
        return Finding(
            kind=self.kind,
            title="Variance by depth at initialisation",
            **tabulated(
                *(
                    {
                        "network": p.network,
                        "init": p.init,
                        "norms": "yes" if p.norms else "no",
                        "padding": "zeros" if p.borders else "wraps round",
                        "forward, a layer": p.layer.forward if p.step == "layer" else None,
                        "backward, a layer": p.layer.backward if p.step == "layer" else None,
                        "forward, a unit": p.unit.forward,
                        "backward, a unit": p.unit.backward,
                    }
                    for p in found
                )
            ),
            values={**values, "draws": self.draws, "images": len(subject.images), "seed": subject.seed},
            sentence=_sentence(found),
            panels=[_panel(found, "forward"), _panel(found, "backward")],
        )


def _sentence(found: Sequence[VarianceProfile]) -> str:
    by_label = {profile.label: profile for profile in found}
    parts = []
    for network in dict.fromkeys(profile.network for profile in found):
        he, xavier = by_label[f"{network}_he_bare"], by_label[f"{network}_xavier_bare"]
        if math.isnan(he.growth.forward):
            continue  # no two in a row give the same shape
        parts.append(
            f"a {he.step} of the {network} network multiplies the variance by {_figures(he)} under He and "
            f"{_figures(xavier)} under Xavier"
        )
    if not parts:
        return "No two units in a row give the same shape: there is no step that the variance could be followed along."
    said = f"Without norms, {' and '.join(parts)}."
    padded = by_label.get("plain_he_bare_borders")
    if padded is not None and math.isfinite(padded.growth.forward):
        said += (
            f" That is where maps have no borders: with zero padding a plain {padded.step} under He makes it "
            f"{_figures(padded)}."
        )
    return said


def _figures(profile: VarianceProfile) -> str:
    return f"{profile.growth.forward:.2f} (of the gradient {profile.growth.backward:.2f})"


def _panel(found: Sequence[VarianceProfile], direction: Literal["forward", "backward"]) -> Panel:
    what = {"forward": "values at the unit's merge", "backward": "gradient at the unit's merge"}[direction]
    curves, styles = {}, {}
    for profile in found:
        if not profile.borders:
            label = f"{profile.network}, {profile.init}, {'norms' if profile.norms else 'no norms'}"
            curves[label] = [getattr(spot, direction) for spot in profile.spots if spot.place == "unit"]
            styles[label] = "dashed" if profile.norms else "line"
    return lines(f"Variance, {direction}", f"variance of the {what}", curves, styles=styles, log_y=True)
