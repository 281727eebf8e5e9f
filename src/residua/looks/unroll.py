"""x_L = x_l + F_l + ... + F_(L-1) (He et al. 2016, eq. 4): where it holds, and by how much it fails elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.analysis.finding import Finding, lines
from residua.looks.base import Look, Subject
from residua.parts import register

if TYPE_CHECKING:
    from residua.analysis.unrolled import UnrolledUnit


@register
@dataclass(frozen=True, kw_only=True)
class Unroll(Look):
    """``unroll`` as a finding: ``relative_error`` is that of the worst sum over a stretch of units."""

    kind: ClassVar[str] = "unroll"
    about: ClassVar[str] = (
        "x_L = x_l + the sum of the branches between (He et al. 2016, eq. 4), and by how much it fails"
    )
    images: ClassVar[int] = 32
    float64: ClassVar[bool] = True

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        from residua.analysis.unrolled import unroll

        found = unroll(*subject.shown)
        kept = [u for u in found if u.unrolled is not None]
        worst = max((u.unrolled for u in kept if u.unrolled is not None), default=None)
        spoilt = [u for u in kept if u.spoilt_by]
        return Finding(
            kind=self.kind,
            title="x_L = x_l + the sum of the branches",
            columns=("unit", "kind", "stretch", "error of the unit", "error of the sum", "what spoils it"),
            rows=[(u.unit, u.kind, u.stretch or None, u.error, u.unrolled, u.spoilt_by) for u in found],
            values={
                "relative_error": worst,
                "units": len(found),
                "spoilt": len(spoilt),
                "stretches": max(u.stretch for u in found),
                "images": len(subject.images),
            },
            sentence=_sentence(len(found), len(kept), spoilt, worst),
            panels=[
                lines(
                    "How far x_L is from x_l + sum F",
                    "relative error",
                    {
                        "one unit": [u.error for u in found],
                        "from the stretch's start": [u.unrolled for u in found],
                    },
                    styles={"one unit": "points"},
                    log_y=True,
                )
            ],
        )


_EXACT = 1e-12  # the rounding of a thousand sums in float64


def _sentence(units: int, kept: int, spoilt: list[UnrolledUnit], worst: float | None) -> str:
    if worst is None:
        return f"None of the {units} units keeps the shape: there is nothing that could be added up."
    if worst < _EXACT:
        return f"x_L = x_l + sum F holds to {worst:.1e} in float64 ({kept} of {units} units keep the shape)."
    reasons = "; ".join(dict.fromkeys(u.spoilt_by for u in spoilt)) or "none is known to: look at the modules"
    return (
        f"x_L = x_l + sum F fails by up to {worst:.2g} of |x_L|: {len(spoilt)} of the {kept} units that keep the shape "
        f"are more than an identity and a sum ({reasons})."
    )
