from __future__ import annotations

from residua.experiments.rules import Within, exactly, looked_up


def _world(a: float | None, b: float) -> dict:
    return {"a": {0: {"weights": a}}, "b": {0: {"weights": b}}}


def test_a_ratio_lies_between_its_bounds() -> None:
    rule = Within("weights", "a", 0.45, 0.55, of="b")
    assert rule.check(_world(50, 100)).status == "exact"
    assert rule.check(_world(60, 100)).status == "not reproduced"
    assert rule.check(_world(100, 50)).status == "not reproduced"


def test_the_same_is_the_same_to_the_last_one() -> None:
    rule = exactly("weights", "a", 1, of="b")
    assert rule.check(_world(269_722, 269_722)).status == "exact"
    assert rule.check(_world(269_723, 269_722)).status == "not reproduced"


def test_what_was_not_counted_is_undecided() -> None:
    assert exactly("weights", "a", 1, of="b").check(_world(None, 1)).status == "undecided"
    assert exactly("weights", "a", 1, of="b").check({}).status == "undecided"


def test_what_is_looked_up_has_a_word_of_its_own() -> None:
    rule = looked_up("weights", "a", 8.75)
    assert rule.check(_world(8.75, 0)).status == "checked in the source"
    assert rule.check(_world(8.5, 0)).status == "not reproduced"
