from __future__ import annotations

import numpy as np
import pytest

from residua.experiments.rules.discoveries import discoveries


@pytest.mark.parametrize(
    ("e_values", "shown"),
    [
        ({}, ""),
        ({"a": 19.9}, ""),
        ({"a": 20}, "a"),
        ({"a": 39, "b": 1}, ""),
        ({"a": 40, "b": 1}, "a"),
        ({"a": 39, "b": 20}, "ab"),  # together what neither is alone
        ({"a": 1e9, "b": 25, "c": 27, "d": 26, "e": 0}, "abcd"),
        ({"a": 1e9, "b": 24, "c": 27, "d": 26, "e": 0}, "a"),
    ],
)
def test_the_largest_k_that_are_large_enough_for_k(e_values: dict[str, float], shown: str) -> None:
    assert discoveries(e_values) == set(shown)


def test_of_what_is_shown_at_most_a_twentieth_is_false_on_average() -> None:
    """Twenty hypotheses of which twelve are true nulls: their E-values have an expectation of one, and are heavy."""
    draw, shares = np.random.default_rng(4), []
    for _ in range(2_000):
        nulls = np.exp(2 * draw.normal(size=12) - 2)
        others = np.exp(draw.normal(4, 1, 8))
        shown = discoveries(dict(enumerate([*nulls, *others])))
        shares.append(sum(name < 12 for name in shown) / max(len(shown), 1))
    assert 0 < np.mean(shares) < 0.05
