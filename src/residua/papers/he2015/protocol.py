"""What the networks of He et al. 2015 are trained on, and how (sec. 4.2); those of He et al. 2016 too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from residua.experiments import Arm, Setting
from residua.experiments.rules import Rule
from residua.experiments.scales import cifar10

# "we use 0.01 to warm up the training until the training error is below 80 % (about 400 iterations)": sec. 4.2
_WARM_UP = {"warmup": 400 / 64_000, "warmup_factor": 0.1, "warmup_shape": "constant"}

CIFAR: Mapping[str, Any] = {"in_channels": 3, "num_classes": 10}
IMAGENET: Mapping[str, Any] = {"in_channels": 3, "num_classes": 1000}
NEEDS_IMAGENET = "it was measured on ImageNet: 1.28 million images and up to 600,000 iterations a network"


def as_published(arms: Sequence[Arm], rules: Mapping[str, Rule], *, warm_up: Sequence[str] = ()) -> Setting:
    """The 64,000 iterations of sec. 4.2 on CIFAR-10; the arms named ``warm_up`` begin slowly."""
    slow = [replace(arm, recipe={**_WARM_UP, **arm.recipe}) if arm.name in warm_up else arm for arm in arms]
    return cifar10(slow, rules, "he2015-cifar")
