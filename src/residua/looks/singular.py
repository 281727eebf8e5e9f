"""Singular values of a branch's Jacobian J, and of the product of I + J: what units can multiply a gradient by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from residua.analysis.finding import Finding, lines, tabulated
from residua.errors import UsageError
from residua.looks.base import Look, Subject
from residua.parts import register


@register
@dataclass(frozen=True, kw_only=True)
class Singular(Look):
    """The spectrum of a network's longest stretch, its branches at several scales, beside the ``counterexamples``.

    At the first image, in float64 and evaluation mode, on a copy of ``model``; matrices have at most ``most`` rows. The
    values are those of the last scale; ``real_*`` those of the units as they are, D (S + J). Raises UsageError where
    no residual unit keeps a shape that small, or without scales."""

    kind: ClassVar[str] = "singular"
    about: ClassVar[str] = (
        "singular values of the product of I + J, branches at several scales, against (1 -+ e)^L"
    )
    images: ClassVar[int] = 1
    float64: ClassVar[bool] = True

    scales: tuple[float, ...] = (0.01, 0.1, 0.3, 1.0)
    most: int = 1024

    def find(self, subject: Subject) -> Finding:  # noqa: D102

        from residua.analysis.spectrum import counterexamples, longest_stretch, real_factors, spectrum
        from residua.analysis.unit_calls import unit_calls

        if not self.scales:
            raise UsageError("at least one scale is needed")
        stretch = longest_stretch(
            unit_calls(subject.model, subject.images[:1], subject.labels[:1]), self.most
        )
        found, against = [spectrum(stretch, scale) for scale in self.scales], counterexamples()
        real_smallest, real_largest = real_factors(stretch)
        last = found[-1]
        nothing, shrunk, nilpotent, _ = against
        rows = [
            {
                "units": f"branches x {s.scale:g}",
                "in a row": s.units,
                "e = max ||J||": s.e,
                "radius of J": None,
                "(1 - e)^L": s.lower,
                "smallest": s.smallest,
                "largest": s.largest,
                "(1 + e)^L": s.upper,
            }
            for s in found
        ]
        rows += [
            {
                "units": c.name,
                "in a row": c.units,
                "e = max ||J||": c.norm,
                "radius of J": c.radius,
                "(1 - e)^L": max(1 - c.norm, 0.0) ** c.units,
                "smallest": c.smallest,
                "largest": c.largest,
                "(1 + e)^L": (1 + c.norm) ** c.units,
            }
            for c in against
        ]
        below = [s for s in found if s.smallest < 1]
        return Finding(
            kind=self.kind,
            title="Singular values of the product of I + J",
            **tabulated(*rows),
            values={
                "units": last.units,
                "e": last.e,
                "lower": last.lower,
                "smallest": last.smallest,
                "largest": last.largest,
                "upper": last.upper,
                "real_smallest": real_smallest,
                "real_largest": real_largest,
                "minus_identity": nothing.largest,
                "minus_tenth_99": shrunk.largest,
                "nilpotent_radius": nilpotent.radius,
                "nilpotent_largest": nilpotent.largest,
            },
            sentence=(
                f"Over {last.units} units in a row the product of I + J multiplies a gradient by {last.smallest:.3g} "
                f"to {last.largest:.3g} (e = {last.e:.3g}), and by less than 1 in some direction at {len(below)} of "
                f"{len(found)} scales of the branches: no factor of at least 1 is assured. The whole units, "
                f"D(S + J), multiply it by {real_smallest:.3g} to {real_largest:.3g}. F = -x gives "
                f"{nothing.largest:.0f}; F = -x/10 over 99 units {shrunk.largest:.3g}; a J of spectral radius "
                f"{nilpotent.radius:.0f} gives {nilpotent.largest:.3g}."
            ),
            panels=[
                lines(
                    "What a gradient can be multiplied by",
                    f"singular values of the product over {last.units} units",
                    {
                        "largest": [s.largest for s in found],
                        "smallest": [s.smallest for s in found],
                        "(1 + e)^L": [s.upper for s in found],
                        "(1 - e)^L": [s.lower for s in found],
                    },
                    x=[s.e for s in found],
                    x_label="e, the largest norm of a branch's Jacobian",
                    styles={"(1 + e)^L": "dashed", "(1 - e)^L": "dashed"},
                    log_x=True,
                    log_y=True,
                )
            ],
        )


@register
@dataclass(frozen=True, kw_only=True)
class SingularValues(Singular):
    """The same in maps of at most 512 values: what the experiments of the theory were measured by."""

    kind: ClassVar[str] = "singular_values"
    about: ClassVar[str] = "the same, of maps of at most 512 values"
    panel: ClassVar[int | None] = 0

    most: int = 512
