"""Every experiment against planted worlds: one in which its claim is true, one in which each of its rules is false.

A test module of this folder says them: ``WORLDS = {experiment: (true, false)}``, where a world is ``{arm: {measure:
value}}`` (the same for every seed, but for a spread that is put on top) or evidence as rules get it, seed by seed.
"""

from __future__ import annotations

import importlib.util
import math
import random
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from residua.experiments.catalogue import experiments
from residua.experiments.experiment import SCALES, Experiment, Setting
from residua.experiments.rules import Contrast, Number, judge
from residua.experiments.rules.ruling import HOLDS
from residua.parts import parts
from residua.published import published
from residua.registry import model_spec
from residua.train import recipe

COUNTS = {"test_images": 360, "train_images": 1437}
ALL = list(experiments().values())
IDS = [item.id for item in ALL]


@cache
def worlds() -> dict[str, tuple[Any, Any]]:
    found: dict[str, tuple[Any, Any]] = {}
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        if path != Path(__file__) and "\nWORLDS" in path.read_text(encoding="utf-8"):
            spec = importlib.util.spec_from_file_location(f"worlds_of_{path.stem}", path)
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            found |= module.WORLDS
    return found


def settings(experiment: Experiment) -> list[Setting]:
    return [s for scale in SCALES if isinstance(s := experiment.setting(scale), Setting)]


def evidence(world: Any, setting: Setting) -> dict[str, dict[int, dict[str, Any]]]:
    """A world seed by seed; without a spread where everything follows from the networks."""
    if all(isinstance(key, int) for values in world.values() for key in values):
        return world
    draw = random.Random(0)
    spread = 0.0 if setting.fixed else 0.01
    return {
        arm: {
            seed: COUNTS
            | {
                name: v * (1 + draw.uniform(-spread, spread)) if isinstance(v, float) else v
                for name, v in values.items()
            }
            for seed in range(1 if setting.fixed else 8)
        }
        for arm, values in world.items()
    }


@pytest.mark.parametrize("experiment", [item for item in ALL if settings(item)], ids=lambda item: item.id)
def test_a_true_world_is_reproduced_and_a_false_one_is_not(experiment: Experiment) -> None:
    assert experiment.id in worlds(), f"{experiment.id} has no planted pair of worlds: put one into WORLDS"
    true, false = worlds()[experiment.id]
    setting = settings(experiment)[0]
    assert setting.rules, "nothing is judged"
    verdict = judge(setting.rules, evidence(true, setting))
    wrong = {text: ruling for text, ruling in verdict.rulings.items() if not _holds(ruling.status)}
    assert not wrong, f"in the true world: {wrong}"
    for text, rule in setting.rules.items():
        ruling = rule.check(evidence(false, setting))
        assert ruling.status == "not reproduced", f"in the false world: {text}: {ruling}"


def _holds(status: str) -> bool:
    return status in HOLDS


def rules(experiment: Experiment, kind: Any = object) -> list[Any]:
    return [
        rule for setting in settings(experiment) for rule in setting.rules.values() if isinstance(rule, kind)
    ]


@pytest.mark.parametrize(
    "experiment", [item for item in ALL if rules(item, Contrast)], ids=lambda item: item.id
)
def test_noise_decides_no_direction(experiment: Experiment) -> None:
    for rule in rules(experiment, Contrast):
        assert rule.check(_noise(rule)).status == "undecided", rule


@pytest.mark.parametrize(
    "experiment", [item for item in ALL if rules(item, Contrast)], ids=lambda item: item.id
)
def test_every_direction_says_the_smallest_effect_that_matters(experiment: Experiment) -> None:
    for rule in rules(experiment, Contrast):
        assert rule.smallest is not None
        assert rule.smallest > 0, rule


def _noise(rule: Contrast) -> dict[str, Any]:
    """Arms of which the first is now above and now below what makes the sum the bound itself."""
    first, weight = next(iter(rule.weights.items()))
    level = math.log(50.0) if rule.log else 50.0
    needed = level + (rule.bound - level * sum(rule.weights.values())) / weight
    sums = {arm: [50.0] * 8 for arm in rule.weights}
    swings = [needed + (1 if s % 2 else -1) * (1 + s / 100) * (0.2 if rule.log else 10) for s in range(8)]
    sums[first] = [math.exp(value) for value in swings] if rule.log else swings
    return {
        arm: {s: COUNTS | {rule.measure: value} for s, value in enumerate(values)}
        for arm, values in sums.items()
    }


@pytest.mark.parametrize(
    "experiment", [item for item in ALL if rules(item, Number)], ids=lambda item: item.id
)
def test_a_published_number_is_missed_as_well_as_met(experiment: Experiment) -> None:
    for rule in rules(experiment, Number):

        def status(value: float, rule: Number = rule) -> str:
            seeds = {s: {rule.measure: value + 0.01 * (s % 2)} for s in range(5)}
            return rule.check({rule.arm: seeds}).status

        assert status(rule.value) == "reproduced"
        for side in (-1, 1):
            assert status(rule.value + side * 1.5 * rule.tolerance) == "not reproduced", rule


@pytest.mark.parametrize("experiment", ALL, ids=IDS)
def test_nothing_is_decided_by_nothing(experiment: Experiment) -> None:
    for rule in rules(experiment):
        assert rule.check({}).status == "undecided", rule


@pytest.mark.parametrize("experiment", ALL, ids=IDS)
def test_what_it_names_exists(experiment: Experiment) -> None:
    known = published()
    arms = {arm.name for setting in settings(experiment) for arm in setting.arms}
    for row in experiment.published:
        assert row.to_dict()["value"] is not None
        assert not row.arm or row.arm in arms, f"{row.model} stands beside {row.arm!r}, which is not run"
    for name in experiment.observations:
        assert name in known.observations
    for name in experiment.misquotes:
        assert name in known.misquotes
    assert not experiment.look or experiment.look in parts("look")
    assert experiment.zh and experiment.where and experiment.settings
    assert set(experiment.settings) <= set(SCALES)


@pytest.mark.parametrize("experiment", ALL, ids=IDS)
def test_networks_and_recipes_exist(experiment: Experiment) -> None:
    for setting in settings(experiment):
        for arm in setting.arms:
            if arm.model:
                model_spec(arm.model, **arm.changes)
            if setting.recipe:
                recipe(setting.recipe, **{**setting.changes, **arm.recipe})
                assert arm.model, f"{arm.name}: what is trained is a network"
