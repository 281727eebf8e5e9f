import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from residua.intervals import Z95, difference, wilson


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_solves_its_equation(case):
    # the interval's ends are the shares p whose own score test just fails to refuse the observed one
    correct, n = case
    low, high = wilson(correct / n, n)
    assert 0 <= low <= correct / n <= high <= 1
    for p in (low, high):
        if 0 < p < 1:
            assert abs(correct / n - p) == pytest.approx(Z95 * math.sqrt(p * (1 - p) / n), rel=1e-6)


# Newcombe 1998, table I (method 3) and Newcombe 1998b, table II (method 10).
@pytest.mark.parametrize(
    ("hits", "n", "low", "high"), [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)]
)
def test_wilson_gives_the_published_intervals(hits, n, low, high):
    assert wilson(hits / n, n) == pytest.approx((low, high), abs=5e-5)


def test_the_difference_gives_the_published_interval():
    assert difference(56 / 70, 70, 48 / 80, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)


@given(st.integers(1, 10**6), st.floats(0, 1), st.integers(1, 10**6), st.floats(0, 1))
def test_intervals_hold_their_estimate_and_turn_around(n, share, m, other):
    low, high = wilson(share, n)
    assert 0 <= low <= share + 1e-12 and share - 1e-12 <= high <= 1
    low, high = difference(share, n, other, m)
    assert low - 1e-9 <= share - other <= high + 1e-9
    assert difference(other, m, share, n) == pytest.approx((-high, -low))
