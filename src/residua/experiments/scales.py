"""The settings of experiments by scale, by which papers share their trainings; and the CIFAR nets as arms of them.

A function gives the settings of its scale: ``quick(arms, rules) | not_judged("it was measured on ImageNet")``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from residua.experiments.experiment import SCALES, Arm, Scale, Setting
from residua.experiments.rules import Rule

Settings = dict[Scale, Setting | str]

_KINDS = {"plain": "cifar_plain", "ResNet": "cifar_resnet", "pre-activation": "cifar_preact_resnet"}


def net(name: str, **options: Any) -> Arm:
    """``ResNet-56``, ``plain-20`` or ``pre-activation-110`` as an arm, with options of the look."""
    kind, _, depth = name.rpartition("-")
    return Arm(name, f"{_KINDS[kind]}{depth}", options=options)


def nets(*names: str, **options: Any) -> tuple[Arm, ...]:
    """Several arms by their names, with the same options of the look."""
    return tuple(net(name, **options) for name in names)


def exact(arms: Sequence[Arm], rules: Mapping[str, Rule]) -> Settings:
    """What follows from networks or tables alone, at every scale: one seed says all."""
    return dict.fromkeys(SCALES, Setting(arms=tuple(arms), rules=rules, fixed=True))


def untrained(arms: Sequence[Arm], rules: Mapping[str, Rule], *, fixed: bool = False) -> Settings:
    """The quick scale of networks as they are initialised; ``fixed``: one seed says all."""
    return {"quick": Setting(arms=tuple(arms), rules=rules, fixed=fixed)}


def quick(
    arms: Sequence[Arm],
    rules: Mapping[str, Rule],
    *,
    recipe: str = "digits",
    source: str = "digits",
    fixed: bool = False,
    **changes: Any,
) -> Settings:
    """The quick scale: ten epochs of the bundled digits, or what ``changes`` to the recipe say; ``fixed``: one seed."""
    changes = {"epochs": 10, **changes}
    setting = Setting(
        arms=tuple(arms), rules=rules, recipe=recipe, changes=changes, source=source, fixed=fixed
    )
    return {"quick": setting}


def small(arms: Sequence[Arm], rules: Mapping[str, Rule]) -> Settings:
    """The small scale: four epochs of CIFAR-10 by the recipe for short trainings."""
    return {"small": _cifar10(arms, rules, "quick", {"epochs": 4}, seeds=3)}


def paper(arms: Sequence[Arm], rules: Mapping[str, Rule], recipe: str, *, seeds: int = 5) -> Settings:
    """The scale of the paper: its recipe on CIFAR-10."""
    return {"paper": _cifar10(arms, rules, recipe, {}, seeds)}


def not_judged(reason: str, *scales: Scale) -> Settings:
    """Scales (that of the paper, unless others are named) at which nothing is run, and why."""
    return dict.fromkeys(scales or ("paper",), reason)


def _cifar10(
    arms: Sequence[Arm], rules: Mapping[str, Rule], recipe: str, changes: Mapping[str, Any], seeds: int
) -> Setting:
    """Measured on the test images after every epoch."""
    return Setting(
        arms=tuple(arms),
        rules=rules,
        recipe=recipe,
        changes=changes,
        needs="cifar10",
        curves=True,
        seeds=seeds,
    )
