import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from residua.report.numbers import count, difference, duration, percent, short, wilson


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


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (percent(0.98604), "98.60 %"),
        (percent(None), "–"),
        (percent(math.nan), "–"),
        (count(1234567), "1,234,567"),
        (short(40_813_184), "40.81 M"),
        (short(0.01234567), "0.01235"),
        (short(1_814_073_344), "1.814 G"),
        (duration(14.23), "14.2 s"),
        (duration(245), "4 min 05 s"),
        (duration(3 * 3600 + 7 * 60 + 9), "3 h 07 min"),
        (duration(None), "–"),
    ],
)
def test_numbers_as_they_are_printed(shown, expected):
    assert shown.replace("\N{NO-BREAK SPACE}", " ") == expected
