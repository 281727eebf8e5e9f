"""What the scales mean: the settings by which papers share their trainings, and the CIFAR nets as arms of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from residua.experiments.experiment import SCALES, Arm, Scale, Setting
from residua.experiments.rules import Rule

_KINDS = {"plain": "cifar_plain", "ResNet": "cifar_resnet", "pre-activation": "cifar_preact_resnet"}


def net(name: str, **options: Any) -> Arm:
    """``ResNet-56``, ``plain-20`` or ``pre-activation-110`` as an arm, with options of the look."""
    kind, _, depth = name.rpartition("-")
    return Arm(name, f"{_KINDS[kind]}{depth}", options=options)


def nets(*names: str, **options: Any) -> tuple[Arm, ...]:
    """Several arms by their names, with the same options of the look."""
    return tuple(net(name, **options) for name in names)


def untrained(arms: Sequence[Arm], rules: Mapping[str, Rule], *, fixed: bool = False) -> Setting:
    """Networks as they are initialised; ``fixed``: one seed says all."""
    return Setting(arms=tuple(arms), rules=rules, fixed=fixed)


def exact(arms: Sequence[Arm], rules: Mapping[str, Rule]) -> Mapping[Scale, Setting | str]:
    """The settings of what follows from networks or tables alone, at every scale."""
    return dict.fromkeys(SCALES, untrained(arms, rules, fixed=True))


def quick(
    arms: Sequence[Arm],
    rules: Mapping[str, Rule],
    *,
    recipe: str = "digits",
    source: str = "digits",
    fixed: bool = False,
    **changes: Any,
) -> Setting:
    """Ten epochs of the bundled digits, or what ``changes`` to the recipe say; ``fixed``: of one seed."""
    return Setting(
        arms=tuple(arms),
        rules=rules,
        recipe=recipe,
        changes={"epochs": 10, **changes},
        source=source,
        fixed=fixed,
    )


def small(arms: Sequence[Arm], rules: Mapping[str, Rule]) -> Setting:
    """Four epochs of CIFAR-10, by the recipe for short trainings: the papers' steps need their hundreds of epochs."""
    return cifar10(arms, rules, "quick", changes={"epochs": 4}, seeds=3)


def cifar10(
    arms: Sequence[Arm],
    rules: Mapping[str, Rule],
    recipe: str,
    *,
    changes: Mapping[str, Any] | None = None,
    seeds: int = 5,
) -> Setting:
    """A recipe on CIFAR-10, measured on the test images after every epoch."""
    return Setting(
        arms=tuple(arms),
        rules=rules,
        recipe=recipe,
        changes=changes or {},
        needs="cifar10",
        curves=True,
        seeds=seeds,
    )
