"""Every kind of rule: a world in which it holds, one in which it does not, and noise that decides nothing."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest

from residua.experiments.rules import (
    Contrast,
    Number,
    Reading,
    Rule,
    Within,
    alike,
    below,
    between,
    greater,
    judge,
    times,
)
from residua.experiments.rules.evalue import CERTAIN, DECIDES, FEWEST
from residua.experiments.rules.ruling import Ruling, Status
from residua.experiments.rules.trail import Trail


def _world(means: Mapping[str, float], spread: float, n: int = 8, measure: str = "figure") -> dict[str, Any]:
    draw = random.Random(1)
    return {a: {s: {measure: m + draw.gauss(0, spread)} for s in range(n)} for a, m in means.items()}


_GREATER = greater("figure", "a", "b", smallest=0.001)
_ALIKE = alike("figure", "a", "b", 1.0)
_BY_ONE = greater("figure", "a", "b", smallest=1.0)
_BETWEEN = between("figure", "a", 1, 2)
_TWICE = times("figure", "a", "b", factor=2, smallest=1.5)
_NUMBER = Number("figure", "a", 8.75, 0.5)
_WITHIN = Within("figure", "a", 1, 2)


@pytest.mark.parametrize(
    ("rule", "means", "spread", "status"),
    [
        (_GREATER, {"a": 5, "b": 1}, 0.3, "direction reproduced"),
        (_GREATER, {"a": 1, "b": 5}, 0.3, "not reproduced"),
        (_GREATER, {"a": 1, "b": 1}, 1.0, "undecided"),
        (_BY_ONE, {"a": 5, "b": 1}, 0.3, "direction reproduced"),
        (_BY_ONE, {"a": 1, "b": 1}, 0.1, "no difference that matters"),
        (_BY_ONE, {"a": 1, "b": 1}, 1.0, "undecided"),
        (below("figure", "a", 3, smallest=0.5), {"a": 1}, 0.3, "direction reproduced"),
        (below("figure", "a", 3, smallest=0.5), {"a": 5}, 0.3, "not reproduced"),
        (below("figure", "a", 3, smallest=0.5), {"a": 3}, 0.1, "no difference that matters"),
        (_TWICE, {"a": 40, "b": 10}, 0.3, "direction reproduced"),
        (_TWICE, {"a": 10, "b": 10}, 0.3, "not reproduced"),
        (_TWICE, {"a": 20, "b": 10}, 0.3, "no difference that matters"),
        (_TWICE, {"a": 0, "b": 10}, 0.0, "undecided"),
        (_ALIKE, {"a": 1, "b": 1}, 0.1, "reproduced"),
        (_ALIKE, {"a": 1, "b": 4}, 0.1, "not reproduced"),
        (_ALIKE, {"a": 4, "b": 1}, 0.1, "not reproduced"),
        (_ALIKE, {"a": 1, "b": 1}, 3.0, "undecided"),
        (_BETWEEN, {"a": 1.5}, 0.05, "reproduced"),
        (_BETWEEN, {"a": 0.5}, 0.05, "not reproduced"),
        (_BETWEEN, {"a": 2.5}, 0.05, "not reproduced"),
        (_BETWEEN, {"a": 2.0}, 0.5, "undecided"),
        (_NUMBER, {"a": 8.8}, 0.1, "reproduced"),
        (_NUMBER, {"a": 12.0}, 0.1, "not reproduced"),
        (_NUMBER, {"a": 9.2}, 1.0, "undecided"),
        (_WITHIN, {"a": 1.5}, 0.0, "exact"),
        (_WITHIN, {"a": 2.5}, 0.0, "not reproduced"),
    ],
)
def test_a_rule_in_a_world(rule: Rule, means: dict[str, float], spread: float, status: Status) -> None:
    assert rule.check(_world(means, spread)).status == status


def test_two_seeds_decide_nothing() -> None:
    clear = {"a": 50.0, "b": 1.0}
    assert _GREATER.check(_world(clear, 0.01, n=FEWEST - 1)).status == "undecided"
    assert _GREATER.check(_world(clear, 0.01, n=FEWEST)).status == "direction reproduced"


def test_what_is_decided_stays_decided() -> None:
    """Five seeds that leave no doubt, and then fifteen that turn it around."""
    world = _world({"a": 5, "b": 1}, 0.3, n=5)
    for seed in range(5, 20):
        world["a"][seed], world["b"][seed] = {"figure": -50.0 - seed}, {"figure": 1.0}
    ruling = _GREATER.check(world)
    assert ruling.status == "direction reproduced"
    assert ruling.trail is not None
    assert ruling.trail.toward[-1] < 1


def test_the_first_of_two_deciding_e_values_counts() -> None:
    trail = Trail(toward=(1, 2, 3, 50), against=(1, 0, 0, 0), alike=(1, 1, 45, 90))
    assert trail.decision == "alike"
    assert Trail(toward=(1, 41), against=(1, 0), alike=(1, 45)).decision == "toward"
    assert Trail(toward=(1, 39.9), against=(1, 0)).decision is None


def test_an_effect_says_its_interval_and_how_many_seeds_more() -> None:
    ruling = _GREATER.check(_world({"a": 2, "b": 1}, 1.0, n=5))
    effect = ruling.effect
    assert effect is not None
    assert effect.low is not None and effect.high is not None
    assert effect.low < effect.mean < effect.high
    assert effect.more_seeds is not None and effect.more_seeds > 0
    assert f"seeds that it would still take at this effect: {effect.more_seeds}" in ruling.reason
    # that many of the same mean and spread do decide, and one less do not
    half = ((effect.sd or 0) ** 2) ** 0.5

    def decided(n: int) -> bool:
        spread = half * ((n - 1) / n) ** 0.5 if n % 2 == 0 else half * ((n - 1) / (n - 1)) ** 0.5
        values = [effect.mean + (spread if i % 2 else -spread) for i in range(n - n % 2)]
        values += [effect.mean] * (n % 2)
        world = {
            "a": {i: {"figure": v} for i, v in enumerate(values)},
            "b": {i: {"figure": 0.0} for i in range(n)},
        }
        trail = _GREATER.check(world).trail
        assert trail is not None
        return trail.toward[-1] >= DECIDES

    assert decided(5 + effect.more_seeds)
    assert not decided(4 + effect.more_seeds)


def test_an_interval_ends_where_a_bound_is_ruled_out() -> None:
    world = _world({"a": 3, "b": 1}, 0.5)
    effect = _GREATER.check(world).effect
    assert effect is not None and effect.low is not None and effect.high is not None
    for bound, toward, against in ((effect.low, 40, None), (effect.high, None, 40)):
        trail = greater("figure", "a", "b", by=bound, smallest=0.001).check(world).trail
        assert trail is not None
        assert toward is None or trail.toward[-1] == pytest.approx(toward, rel=1e-5)
        assert against is None or trail.against[-1] == pytest.approx(against, rel=1e-5)


def test_a_bound_is_part_of_the_statement() -> None:
    world = _world({"a": 2, "b": 1}, 0.05)
    assert greater("figure", "a", "b", by=0.5, smallest=0.001).check(world).status == "direction reproduced"
    assert greater("figure", "a", "b", by=2, smallest=0.001).check(world).status == "not reproduced"


def test_a_contrast_of_four_arms_has_the_signs_of_its_weights() -> None:
    rule = Contrast("figure", {"a": 1, "b": -1, "c": -1, "d": 1})
    assert rule.check(_world({"a": 9, "b": 3, "c": 4, "d": 3}, 0.1)).status == "direction reproduced"
    assert rule.check(_world({"a": 4, "b": 3, "c": 9, "d": 3}, 0.1)).status == "not reproduced"


def test_seeds_are_paired() -> None:
    """What two arms share, however much it varies from seed to seed, hides no difference."""
    world = {
        arm: {seed: {"figure": 100 * seed + plus + 0.01 * seed} for seed in range(8)}
        for arm, plus in (("a", 1.0), ("b", 0.0))
    }
    assert _GREATER.check(world).status == "direction reproduced"


def test_seeds_of_one_arm_alone_do_not_count() -> None:
    world = _world({"a": 5, "b": 1}, 0.1)
    world["b"] = {seed: values for seed, values in world["b"].items() if seed < 2}
    check = _GREATER.check(world)
    assert check.status == "undecided"
    assert "n = 2" in check.reason


@pytest.mark.parametrize("rule", [_GREATER, _ALIKE, _NUMBER, _WITHIN])
@pytest.mark.parametrize("world", [{}, {"a": {0: {"figure": None}}, "b": {}}, {"a": {0: {}}, "b": {0: {}}}])
def test_what_was_not_measured_is_undecided(rule: Rule, world: Any) -> None:
    assert rule.check(world).status == "undecided"


def test_errors_that_agree_to_the_image_keep_the_spread_of_counting() -> None:
    """Four seeds with one error more of 100 images each are no proof; the same as a figure without a count would be."""
    counted = {
        "a": {s: {"test_error": 1.0, "test_images": 100} for s in range(4)},
        "b": {s: {"test_error": 0.0, "test_images": 100} for s in range(4)},
    }
    assert greater("test_error", "a", "b", smallest=0.5).check(counted).status == "undecided"
    assert _GREATER.check(_world({"a": 1, "b": 0}, 0.0, n=4)).status == "direction reproduced"


def test_the_number_of_seeds_that_are_allowed_is_no_part_of_the_test() -> None:
    """Whoever would have gone on to 40 seeds reads the same after eight."""
    world = _world({"a": 2, "b": 1}, 1.0, n=20)
    first = {
        arm: {seed: values for seed, values in seeds.items() if seed < 8} for arm, seeds in world.items()
    }
    early, late = _GREATER.check(first).trail, _GREATER.check(world).trail
    assert early is not None and late is not None
    assert late.toward[:8] == early.toward


class _Says:
    def __init__(self, status: Status) -> None:
        self.status: Status = status

    def check(self, evidence: Any) -> Ruling:
        return Ruling(self.status, "")


@pytest.mark.parametrize(
    ("statuses", "together"),
    [
        (["reproduced", "not reproduced", "undecided"], "not reproduced"),
        (["reproduced", "undecided", "direction reproduced"], "undecided"),
        (["reproduced", "direction reproduced"], "direction reproduced"),
        (["reproduced", "reproduced"], "reproduced"),
        (["exact", "exact"], "exact"),
        (["exact", "checked in the source"], "checked in the source"),
        (["exact", "direction reproduced"], "direction reproduced"),
        (["direction reproduced", "no difference that matters"], "no difference that matters"),
        (["undecided", "no difference that matters"], "undecided"),
        ([], "not judged at this scale"),
    ],
)
def test_a_verdict_is_never_prettier_than_its_weakest_check(statuses: list[Status], together: Status) -> None:
    verdict = judge({str(i): _Says(status) for i, status in enumerate(statuses)}, {})
    assert verdict.status == together
    assert verdict.decided == (together != "undecided")


class _Against:
    """Measured: E-values against it after every seed."""

    def __init__(self, *against: float) -> None:
        self.against = against

    def check(self, evidence: Any) -> Ruling:
        trail = Trail(toward=(0.0,) * len(self.against), against=self.against)
        return Ruling("not reproduced" if trail.decision else "undecided", "", trail)


def test_an_experiment_is_refuted_by_the_mean_of_the_e_values_against_it() -> None:
    assert judge({"one": _Against(1, 41)}, {}).status == "not reproduced"
    one_of_three = {"one": _Against(1, 60), "two": _Against(0, 0), "three": _Against(0)}
    assert judge(one_of_three, {}).status == "undecided"
    assert judge({**one_of_three, "one": _Against(1, 121)}, {}).status == "not reproduced"
    assert judge({"one": _Against(50, 2), "two": _Against(50, 2)}, {}).status == "not reproduced", (
        "it stays so"
    )
    assert judge({"exact": _Says("not reproduced"), "two": _Against(0)}, {}).against[-1] == CERTAIN / 2


def test_a_reading_is_judged_and_decides_nothing() -> None:
    rules = {"stated": _Says("reproduced"), "our reading": Reading(_Says("not reproduced"))}
    verdict = judge(rules, {})
    assert verdict.status == "reproduced"
    assert not verdict.rulings["our reading"].decides
    assert verdict.rulings["our reading"].status == "not reproduced"
