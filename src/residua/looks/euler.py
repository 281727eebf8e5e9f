"""Residual units as Euler steps of an ODE (Chen et al. 2018, sec. 1; claim: a ResNet discretises one)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

from residua.analysis.finding import Cell, Finding, lines
from residua.errors import UsageError
from residua.looks.base import Look, Subject
from residua.parts import register

if TYPE_CHECKING:
    from torch import Tensor

_X = "step size h (1: one step a unit)"


@register
@dataclass(frozen=True, kw_only=True)
class Euler(Look):
    """Error of the logits and accuracy of a network whose units take 1, 2, 4, ... up to ``finest`` Euler steps.

    ``images`` is ``(N, C, H, W)``, normalised as in training, ``labels`` int64 ``(N,)``. The error is the root mean
    square of the difference of the logits over that of the reference's: the adaptive solver (Dormand-Prince, tolerances
    of 1e-6 in float32, 1e-8 in float64) for ODE blocks, else twice as many steps as ``finest``. The observed order is
    the base-2 logarithm of the ratio of the changes of the logits from one step size to the next, which needs no
    reference (Richardson). Measured as the network predicts, and afterwards unchanged.

    Raises UsageError for a network in which no unit can be refined and for ``finest`` below 2."""

    kind: ClassVar[str] = "euler"
    about: ClassVar[str] = (
        "units as Euler steps of an ODE: error and accuracy as the steps are refined (Chen et al. 2018)"
    )
    images: ClassVar[int] = 32
    trained: ClassVar[bool] = True

    finest: int = 64

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        from torch import nn

        from residua.analysis.refinement import refinable, refinement, solvable
        from residua.nn import residual_units

        if self.finest < 2:
            raise UsageError(f"finest must be at least 2 steps, not {self.finest}")
        units = refinable(subject.model)
        counts = [2**i for i in range(int(math.log2(self.finest)) + 1)]
        plain, *answers = refinement(subject.model, subject.images, counts, subject.progress)
        *coarse, reference = answers
        solved = solvable(units)
        errors = [_relative(answer, reference) for answer in coarse]
        changes = [float((b - a).norm()) for a, b in pairwise(answers)]
        orders: list[Cell] = [None, *(_order(a, b) for a, b in pairwise(changes))]
        if solved:  # against the solution itself the errors tell
            orders = [None, *(_order(a, b) for a, b in pairwise(errors))]
        orders = orders[: len(counts)]
        unrefined = plain.argmax(1)
        agreement, accuracy = (
            [_share(answer.argmax(1), expected) for answer in coarse]
            for expected in (unrefined, subject.labels)
        )
        name = "the adaptive solver" if solved else f"{2 * counts[-1]} steps a unit"
        values: dict[str, Cell] = {
            "units": len(residual_units(subject.model)),
            "refined_units": len(units),
            "projected_units": sum(isinstance(unit.activation, nn.ReLU) for unit in units.values()),
            "unrefined_error": _relative(plain, reference),
            "finest_error": errors[-1],
            "observed_order": orders[-1],
            "accuracy": _share(unrefined, subject.labels),
            "finest_accuracy": accuracy[-1],
            "finest_agreement": agreement[-1],
            "reference_accuracy": _share(reference.argmax(1), subject.labels),
            "reference": name,
        }
        h = [1 / n for n in counts]
        base = 0.0 if solved else h[-1] / 2  # an error of first order against the reference's own step
        first_order = [errors[-1] * (step - base) / (h[-1] - base) for step in h]
        return Finding(
            kind=self.kind,
            title="Units as Euler steps",
            columns=("steps", "h", "error", "order", "agreement", "accuracy"),
            rows=list(zip(counts, h, errors, orders, agreement, accuracy, strict=True)),
            values=values,
            sentence=_sentence(values, counts[-1]),
            panels=[
                lines(
                    "Error of the logits",
                    "relative to the reference's",
                    {"measured": errors, "first order": first_order},
                    x=h,
                    x_label=_X,
                    styles={"first order": "dashed"},
                    log_x=True,
                    log_y=True,
                ),
                lines(
                    "Answers",
                    "share of the images",
                    {"right answers": accuracy, "same answer as at h = 1": agreement},
                    x=h,
                    x_label=_X,
                    log_x=True,
                ),
            ],
        )


def _relative(answer: Tensor, reference: Tensor) -> float:
    return float((answer - reference).norm() / reference.norm())


def _order(coarse: float, fine: float) -> float | None:
    return math.log2(coarse / fine) if coarse > 0 and fine > 0 else None


def _share(answers: Tensor, expected: Tensor) -> float:
    return float((answers == expected).double().mean())


def _sentence(values: Mapping[str, Any], finest: int) -> str:
    left = values["units"] - values["refined_units"]
    rest = f"; the other {left} cannot be (they change the shape, or are no x + f(x))" if left else ""
    projected = values["projected_units"]
    relu = f", {projected} of them projected (a ReLU after the sum)" if projected else ""
    order = values["observed_order"]
    converges = (
        "no order could be observed" if order is None else f"the observed order is {order:.2f} (Euler's is 1)"
    )
    return (
        f"{values['refined_units']} of {values['units']} units were refined into Euler steps{relu}{rest}. As it is, "
        f"the network's logits differ by {values['unrefined_error']:.2g} (relative) from those of "
        f"{values['reference']}, with {finest} steps a unit by {values['finest_error']:.2g}; {converges}. Accuracy is "
        f"{values['accuracy']:.1%} as it is and {values['finest_accuracy']:.1%} with {finest} steps, where "
        f"{values['finest_agreement']:.1%} of the answers are still the same."
    )
