"""The gradient at a unit against the product of the units' Jacobians, each factor built from its part alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from residua.analysis.finding import Finding, lines, tabulated
from residua.looks.base import Look, Subject
from residua.parts import register


@register
@dataclass(frozen=True, kw_only=True)
class Jacobian(Look):
    """``jacobian`` as a finding: ``relative_error`` and ``naive_error`` are the worst of all units and images."""

    kind: ClassVar[str] = "jacobian"
    about: ClassVar[str] = (
        "the gradient at each unit against the product of the units' Jacobians, and the naive product"
    )
    images: ClassVar[int] = 8
    float64: ClassVar[bool] = True

    def find(self, subject: Subject) -> Finding:  # noqa: D102

        from residua.analysis.unit_jacobians import jacobian

        found = jacobian(*subject.shown, seed=subject.seed)
        worst, naive = max(u.error for u in found), max(u.naive_error for u in found)
        forward = [u.forward_error for u in found if u.forward_error is not None]
        count = max(u.run for u in found)
        where = "one run" if count == 1 else f"{count} runs, parted by what stands between units"
        check = f" (pushed forward: {max(forward):.1e})" if len(forward) == len(found) else ""
        simple = "I + J" if any(u.kind == "residual" for u in found) else "J"
        verdict = (
            "exact here too, for nothing stands after the merge, nor on a shortcut that keeps the shape"
            if naive < 1e-10
            else "it leaves out what stands after the merge, and takes what shortcuts there are for the identity"
        )
        return Finding(
            kind=self.kind,
            title="Gradient by the product of the units' Jacobians",
            **tabulated(
                *(
                    {
                        "unit": u.unit,
                        "kind": u.kind,
                        "run": u.run,
                        "shortcut": u.shortcut,
                        "after the merge": u.activation,
                        "gradient norm": u.norm,
                        "error": u.error,
                        "naive error": u.naive_error,
                    }
                    for u in found
                )
            ),
            values={
                "relative_error": worst,
                "naive_error": naive,
                "forward_error": max(forward) if len(forward) == len(found) else None,
                "units": len(found),
                "runs": count,
                "images": len(subject.images),
            },
            sentence=(
                f"The product of D(S + J) over {len(found)} units ({where}) gives autograd's gradient to {worst:.1e} "
                f"in float64{check}; the naive product of {simple} is off by {naive:.1e}: {verdict}."
            ),
            panels=[
                lines(
                    "How far the product is from autograd",
                    "relative error",
                    {"D (S + J)": [u.error for u in found], simple: [u.naive_error for u in found]},
                    styles={simple: "dashed"},
                    log_y=True,
                )
            ],
        )
