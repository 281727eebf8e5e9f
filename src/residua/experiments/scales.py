"""The CIFAR nets as arms, and the settings by which the experiments of the papers share their trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from residua.experiments.experiment import Arm, Setting
from residua.experiments.rules.directions import Rule

_KINDS = {"plain": "cifar_plain", "ResNet": "cifar_resnet", "pre-activation": "cifar_preact_resnet"}
# "we use 0.01 to warm up the training until the training error is below 80 % (about 400 iterations)": sec. 4.2
_WARM_UP = {"warmup": 400 / 64_000, "warmup_factor": 0.1, "warmup_shape": "constant"}

CIFAR: Mapping[str, Any] = {"in_channels": 3, "num_classes": 10}
IMAGENET: Mapping[str, Any] = {"in_channels": 3, "num_classes": 1000}
NEEDS_IMAGENET = "it was measured on ImageNet: 1.28 million images and up to 600,000 iterations a network"


def net(name: str, **changes: Any) -> Arm:
    """``ResNet-56``, ``plain-20`` or ``pre-activation-110`` as an arm."""
    kind, _, depth = name.rpartition("-")
    return Arm(name=name, model=f"{_KINDS[kind]}{depth}", changes=changes)


def nets(*names: str) -> tuple[Arm, ...]:
    """Several arms by their names."""
    return tuple(net(name) for name in names)


def quick(arms: Sequence[Arm], rules: Sequence[Rule], *, epochs: int = 10, seeds: int = 4) -> Setting:
    """Ten epochs of the bundled digits."""
    return Setting(
        arms=tuple(arms), rules=tuple(rules), recipe="digits", changes={"epochs": epochs}, seeds=seeds
    )


def small(arms: Sequence[Arm], rules: Sequence[Rule]) -> Setting:
    """Four epochs of CIFAR-10, by the recipe for short trainings: the paper's steps need their 164 epochs."""
    return Setting(
        arms=tuple(arms),
        rules=tuple(rules),
        recipe="quick",
        changes={"epochs": 4},
        needs="cifar10",
        curves=True,
        seeds=3,
    )


def paper(arms: Sequence[Arm], rules: Sequence[Rule], *, warm_up: Sequence[str] = ()) -> Setting:
    """The 64,000 iterations of He et al. 2015, sec. 4.2, on CIFAR-10; the arms named ``warm_up`` begin slowly."""
    return Setting(
        arms=tuple(
            replace(arm, recipe={**_WARM_UP, **arm.recipe}) if arm.name in warm_up else arm for arm in arms
        ),
        rules=tuple(rules),
        recipe="he2015-cifar",
        needs="cifar10",
        curves=True,
        seeds=5,
    )
