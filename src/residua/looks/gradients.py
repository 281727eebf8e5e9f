"""Gradient by depth: plain and residual, with and without norms, after He and after Xavier; and over a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.analysis.finding import Cell, Finding, Panel, lines, tabulated
from residua.errors import UsageError
from residua.looks.base import Look, Subject
from residua.parts import register

if TYPE_CHECKING:
    from residua.analysis.gradient import UnitGradient
    from residua.analysis.profile import GradientProfile


@register
@dataclass(frozen=True, kw_only=True)
class Gradients(Look):
    """The gradient by depth of a network as it is, and of its variants at initialisation.

    ``<network>_<init>_<norms|bare>`` among the values is the norm at the first unit over that at the last.
    """

    kind: ClassVar[str] = "gradients"
    about: ClassVar[str] = "how much gradient reaches each unit, with and without norms and shortcuts"
    float64: ClassVar[bool] = True

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        from residua.analysis.gradient import training_step_gradients
        from residua.analysis.profile import first_over_last, gradient_profiles
        from residua.analysis.variants import counterparts

        _, images, labels = subject.shown
        profiles = gradient_profiles(counterparts(subject.model), images, labels, seed=subject.seed)
        given = training_step_gradients(subject.model, images, labels, seed=subject.seed)
        values = {f"{p.network}_{p.init.lower()}_{'norms' if p.norms else 'bare'}": p.ratio for p in profiles}
        drawn = {norms: [p for p in profiles if p.norms is norms] for norms in (True, False)}
        return Finding(
            kind=self.kind,
            title="Gradient by depth",
            **tabulated(
                {"network": "as given", "init": None, "norms": None, **_summary(given)},
                *(
                    {"network": p.network, "init": p.init, "norms": "yes" if p.norms else "no"}
                    | _summary(p.units)
                    for p in profiles
                ),
            ),
            values={
                "as_given": first_over_last(given),
                **values,
                "units": len(given),
                "images": len(images),
                "seed": subject.seed,
            },
            sentence=_sentence(drawn),
            panels=[
                _panel("As it is", {"as given": given}),
                *(
                    _panel(
                        f"At initialisation, {_WITH[norms]} norms",
                        {f"{p.network}, {p.init}": p.units for p in some},
                    )
                    for norms, some in drawn.items()
                    if some
                ),
            ],
        )


@register
@dataclass(frozen=True, kw_only=True)
class TrainingGradients(Look):
    """The gradient by depth over a training: a curve and a row an epoch. Raises UsageError without a training."""

    kind: ClassVar[str] = "training"
    about: ClassVar[str] = (
        "how much gradient reaches each unit as a run begins, at its best epoch and at its end"
    )
    trained: ClassVar[bool] = True

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        from residua.analysis.gradient import gradients_over_training
        from residua.analysis.profile import first_over_last

        model, images, labels = subject.shown
        states = subject.states() if subject.states else ()
        found = gradients_over_training(model, states, images, labels)
        if not found:
            raise UsageError("there is no state of the training to measure gradients at")
        (first, at_first), (last, at_last) = (
            (one.epoch, first_over_last(one.units)) for one in (found[0], found[-1])
        )
        return Finding(
            kind=self.kind,
            title="Gradient by depth over training",
            **tabulated(*({"epoch": one.epoch, **_summary(one.units)} for one in found)),
            values={"first_epoch": at_first, "last_epoch": at_last, "epochs": len(found)},
            sentence=(
                f"From epoch {first} to {last} the gradient at the first unit is {at_first:.2g} and then "
                f"{at_last:.2g} times that at the last one."
            ),
            panels=[_panel("Over training", {f"epoch {one.epoch}": one.units for one in found})],
        )


_WITH = {True: "with", False: "without"}


def _summary(units: Sequence[UnitGradient]) -> dict[str, Cell]:
    from residua.analysis.profile import first_over_last

    return {
        "units": len(units),
        "norm at the first unit": units[0].norm,
        "norm at the last unit": units[-1].norm,
        "first / last": first_over_last(units),
    }


def _sentence(drawn: Mapping[bool, Sequence[GradientProfile]]) -> str:
    parts = [
        f"{_WITH[norms]} norms: {', '.join(f'{p.network} {p.ratio:.2g} ({p.init})' for p in some)}"
        for norms, some in drawn.items()
        if some
    ]
    return f"Gradient norm at the first unit over that at the last, at initialisation {'; '.join(parts)}."


def _panel(title: str, units: Mapping[str, Sequence[UnitGradient]]) -> Panel:
    curves = {label: [unit.norm for unit in row] for label, row in units.items()}
    return lines(title, "L2 norm of the gradient at its input", curves, log_y=True)
