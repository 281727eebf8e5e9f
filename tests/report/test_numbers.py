import math

import pytest

from residua.report.numbers import count, duration, percent, short


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
