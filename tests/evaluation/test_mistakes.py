"""Which wrong answers are shown: of every kind, and the pairs of classes that are confused most."""

import numpy as np

from residua.evaluation.mistakes import EACH, MISTAKES, mistakes, pairs
from residua.evaluation.outputs import Outputs


def answers(digits, given, confidence):
    """The test digits, of which some (position: class) are answered wrongly, each with its confidence."""
    n = len(digits.test)
    p = np.full((n, 10), 0.001)
    p[np.arange(n), digits.test.labels] = 0.991
    for position, label in given.items():
        p[position] = (1 - confidence[position]) / 9
        p[position, label] = confidence[position]
    return Outputs(log_probabilities=np.log(p), labels=digits.test.labels, positions=np.arange(n))


def planted(digits):
    """Thirty nines taken for fours with much confidence, and one image of each of five other kinds with little."""
    labels = digits.test.labels
    given = {int(i): 4 for i in np.flatnonzero(labels == 9)[:30]}
    sure = {i: 0.99 - 0.001 * place for place, i in enumerate(given)}
    for true, other in ((1, 7), (2, 3), (3, 5), (4, 9), (7, 1)):
        position = int(np.flatnonzero(labels == true)[0])
        given[position], sure[position] = other, 0.5
    return answers(digits, given, sure), given


def test_every_kind_of_mistake_is_shown_before_any_fills_the_page(digits):
    outputs, given = planted(digits)
    shown = mistakes(digits, outputs)
    kinds = {(item["true"], item["predicted"]) for item in shown}
    assert len(shown) == MISTAKES < len(given)
    assert kinds == {("9", "4"), ("1", "7"), ("2", "3"), ("3", "5"), ("4", "9"), ("7", "1")}
    confidence = [item["confidence"] for item in shown]
    assert confidence == sorted(confidence, reverse=True)


def test_pairs_count_both_directions_and_show_the_most_confident_of_each(digits):
    outputs, _ = planted(digits)
    first, second, *rest = pairs(digits, outputs)
    assert first["times"] == 31 and second["times"] == 2 and [pair["times"] for pair in rest] == [1, 1]
    ways = {(way["true"], way["predicted"]): way for way in first["directions"]}
    assert (ways["9", "4"]["times"], ways["4", "9"]["times"]) == (30, 1)
    assert ways["9", "4"]["of"] == int((digits.test.labels == 9).sum())
    shown = ways["9", "4"]["images"]
    assert len(shown) == EACH and shown[0]["confidence"] > shown[-1]["confidence"] > 0.98
    assert {(one["true"], one["predicted"]) for one in shown} == {("9", "4")}


def test_without_a_mistake_there_is_none(digits):
    outputs = answers(digits, {}, {})
    assert mistakes(digits, outputs) == [] == pairs(digits, outputs)
