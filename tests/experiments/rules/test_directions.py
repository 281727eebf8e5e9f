"""Every kind of rule: a world in which it holds, one in which it does not, and noise that decides nothing."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest

from residua.experiments.claims import CLAIMS
from residua.experiments.rules import Contrast, Number, Rule, Within, alike, greater, judge
from residua.experiments.rules.directions import ALPHA, FIRST_LOOK
from residua.experiments.rules.ruling import Ruling, Status


def _world(means: Mapping[str, float], spread: float, n: int = 8, measure: str = "figure") -> dict[str, Any]:
    draw = random.Random(1)
    return {a: {s: {measure: m + draw.gauss(0, spread)} for s in range(n)} for a, m in means.items()}


_GREATER = greater("figure", "a", "b")
_ALIKE = alike("figure", "a", "b", 1.0)
_NUMBER = Number("figure", "a", 8.75, 0.5)
_WITHIN = Within("figure", "a", 1, 2)


@pytest.mark.parametrize(
    ("rule", "means", "spread", "status"),
    [
        (_GREATER, {"a": 5, "b": 1}, 0.3, "direction reproduced"),
        (_GREATER, {"a": 1, "b": 5}, 0.3, "not reproduced"),
        (_GREATER, {"a": 1, "b": 1}, 1.0, "undecided"),
        (_ALIKE, {"a": 1, "b": 1}, 0.1, "direction reproduced"),
        (_ALIKE, {"a": 1, "b": 4}, 0.1, "not reproduced"),
        (_ALIKE, {"a": 4, "b": 1}, 0.1, "not reproduced"),
        (_ALIKE, {"a": 1, "b": 1}, 3.0, "undecided"),
        (_NUMBER, {"a": 8.8}, 0.1, "reproduced"),
        (_NUMBER, {"a": 12.0}, 0.1, "not reproduced"),
        (_NUMBER, {"a": 9.2}, 1.0, "undecided"),
        (_WITHIN, {"a": 1.5}, 0.0, "reproduced"),
        (_WITHIN, {"a": 2.5}, 0.0, "not reproduced"),
    ],
)
def test_a_rule_in_a_world(rule: Rule, means: dict[str, float], spread: float, status: Status) -> None:
    assert rule.check(_world(means, spread)).status == status


def test_three_seeds_decide_nothing() -> None:
    clear = {"a": 50.0, "b": 1.0}
    assert _GREATER.check(_world(clear, 0.01, n=FIRST_LOOK - 1)).status == "undecided"
    assert _GREATER.check(_world(clear, 0.01, n=FIRST_LOOK)).status == "direction reproduced"


def test_a_bound_is_part_of_the_statement() -> None:
    world = _world({"a": 2, "b": 1}, 0.05)
    assert greater("figure", "a", "b", by=0.5).check(world).status == "direction reproduced"
    assert greater("figure", "a", "b", by=2).check(world).status == "not reproduced"


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
    assert greater("test_error", "a", "b").check(counted).status == "undecided"
    assert _GREATER.check(_world({"a": 1, "b": 0}, 0.0, n=4)).status == "direction reproduced"


def test_the_level_is_shared_by_claims_and_looks() -> None:
    world = _world({"a": 5, "b": 1}, 0.3)
    assert f"level {ALPHA / len(CLAIMS) / 5:.2g}" in _GREATER.check(world, 8).reason
    assert f"level {ALPHA / len(CLAIMS):.2g}" in _GREATER.check(world, FIRST_LOOK).reason


def test_noise_is_decided_more_rarely_than_the_level_allows() -> None:
    """2,000 worlds without a difference, looked at after 4, 5, ..., 8 seeds: 2 x ALPHA / claims are decided at most."""
    draw, decided = random.Random(7), 0
    for _ in range(2_000):
        values = [draw.gauss(0, 1) for _ in range(8)]
        world = {"a": {s: {"figure": v} for s, v in enumerate(values)}, "b": {}}
        world["b"] = {s: {"figure": 0.0} for s in world["a"]}
        looks = ({arm: dict(list(seeds.items())[:n]) for arm, seeds in world.items()} for n in range(4, 9))
        decided += any(_GREATER.check(look).status != "undecided" for look in looks)
    assert decided <= 2_000 * 2 * ALPHA / len(CLAIMS) * 2.5  # room for the chance of this very draw


class _Says:
    def __init__(self, status: Status) -> None:
        self.status: Status = status

    def check(self, evidence: Any, max_seeds: int = 8) -> Ruling:
        return Ruling(self.status, "")


@pytest.mark.parametrize(
    ("statuses", "together"),
    [
        (["reproduced", "not reproduced", "undecided"], "not reproduced"),
        (["reproduced", "undecided", "direction reproduced"], "undecided"),
        (["reproduced", "direction reproduced"], "direction reproduced"),
        (["reproduced", "reproduced"], "reproduced"),
        ([], "not judged at this scale"),
    ],
)
def test_a_verdict_is_never_prettier_than_its_weakest_check(statuses: list[Status], together: Status) -> None:
    verdict = judge({str(i): _Says(status) for i, status in enumerate(statuses)}, {})
    assert verdict.status == together
    assert verdict.decided == ("undecided" not in statuses)


def test_a_refuted_verdict_stays_open_while_a_check_is() -> None:
    assert not judge({"one": _Says("not reproduced"), "other": _Says("undecided")}, {}).decided
