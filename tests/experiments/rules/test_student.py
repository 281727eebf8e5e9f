"""Student's t against a library of statistics, against tables, and at its edges."""

from __future__ import annotations

import math

import pytest

from residua.experiments.rules.student import Sample, p_above, survival


def test_a_sample_has_mean_and_unbiased_deviation() -> None:
    sample = Sample.of([1.0, 2.0, 4.0])
    assert (sample.n, sample.mean) == (3, pytest.approx(7 / 3))
    assert sample.sd == pytest.approx(math.sqrt(7 / 3))
    assert Sample.of([5.0]).sd is None


# P(T > t) = 0.05 and 0.005 in every printed table
@pytest.mark.parametrize(
    ("degrees", "t", "tail"),
    [
        (1, 6.314, 0.05),
        (2, 2.920, 0.05),
        (3, 2.353, 0.05),
        (7, 1.895, 0.05),
        (4, 4.604, 0.005),
        (7, 3.499, 0.005),
    ],
)
def test_survival_agrees_with_the_tables(degrees: int, t: float, tail: float) -> None:
    assert survival(t, degrees) == pytest.approx(tail, rel=2e-3)
    assert survival(-t, degrees) == pytest.approx(1 - tail, rel=1e-3)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 5, 7, 8, 15, 30])
def test_survival_agrees_with_scipy(degrees: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    for t in (-4.0, -0.3, 0.0, 0.5, 2.0, 5.0, 12.0):
        assert survival(t, degrees) == pytest.approx(max(stats.t.sf(t, degrees), 1e-9), rel=1e-5, abs=2e-9)


def test_the_paired_test_agrees_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    values = [0.4, 1.2, 0.9, -0.1, 0.7]
    for bound in (0.0, 0.5):
        found = stats.ttest_1samp(values, bound, alternative="greater").pvalue
        assert p_above(Sample.of(values), bound) == pytest.approx(found, rel=1e-6)


def test_one_value_decides_nothing() -> None:
    assert p_above(Sample.of([100.0]), 0) == 1


def test_values_that_agree_are_certain_unless_counting_leaves_a_spread() -> None:
    alike = Sample.of([0.5, 0.5, 0.5, 0.5])
    assert p_above(alike, 0) == 0
    assert p_above(alike, 0.5) == 1
    assert 0.01 < p_above(alike, 0, least_sd=0.5) < 0.2


def test_no_degrees_of_freedom_is_an_error() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        survival(1.0, 0)
