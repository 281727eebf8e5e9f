"""The E-value against an independent integration, published figures, and simulated nulls under optional stopping."""

from __future__ import annotations

import math

import numpy as np
import pytest
from benchmarks.verdicts import share_decided
from hypothesis import given
from hypothesis import strategies as st

from residua.experiments.rules import evalue
from residua.experiments.rules.evalue import CERTAIN, DECIDES, FEWEST, deciding_t, e_above, e_below, e_value
from residua.experiments.rules.sample import Sample


def test_a_sample_has_mean_and_unbiased_deviation() -> None:
    sample = Sample.of([1.0, 2.0, 4.0])
    assert (sample.n, sample.mean) == (3, pytest.approx(7 / 3))
    assert sample.sd == pytest.approx(math.sqrt(7 / 3))
    assert Sample.of([5.0]).sd is None


def _double_integral(n: int, t: float) -> float:
    """As the module's docstring has it: over the effect and over the root of the sum of squares."""
    integrate = pytest.importorskip("scipy.integrate")
    r = t * math.sqrt(n / (n - 1 + t * t))

    def inner(d: float) -> float:
        peak = (d * r + math.sqrt((d * r) ** 2 + 4 * (n - 1))) / 2
        ends = max(0.0, peak - 9), peak + 9
        return integrate.quad(lambda w: w ** (n - 1) * math.exp(-((w - d * r) ** 2) / 2), *ends, epsabs=0)[0]

    def outer(log_d: float) -> float:
        d = math.exp(log_d)
        return 2 / math.pi / (1 + d * d) * math.exp(-(n - r * r) * d * d / 2) * inner(d) * d

    largest = math.log(9 / math.sqrt(n - r * r) + 1) + 1
    whole = integrate.quad(outer, -30, largest, limit=300, epsabs=0, epsrel=1e-7)[0]
    return whole / (2 ** (n / 2 - 1) * math.gamma(n / 2))


@pytest.mark.parametrize("n", [2, 3, 4, 7, 20, 100])
@pytest.mark.parametrize("t", [-6.0, -0.3, 0.0, 2.0, 4.5, 9.0])
def test_it_is_the_double_integral(n: int, t: float) -> None:
    assert e_value(n, t) == pytest.approx(min(_double_integral(n, t), CERTAIN), rel=1e-5)


def test_published_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Student's sleep data in the manual of R's BayesFactor (one-sided), and a test of pingouin (both sides)."""
    monkeypatch.setattr(evalue, "_SCALE", math.sqrt(2) / 2)  # theirs
    e = e_value.__wrapped__  # what is remembered is of our scale
    slept_longer = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    sample = Sample.of(slept_longer)
    assert sample.sd is not None
    t = math.sqrt(sample.n) * sample.mean / sample.sd
    assert e(10, t) == pytest.approx(34.41694, rel=1e-6)
    assert e(10, -t) == pytest.approx(0.1008246, rel=1e-6)
    assert (e(20, 3.5) + e(20, -3.5)) / 2 == pytest.approx(17.185, rel=1e-4)


@given(st.integers(2, 100), st.floats(-1e150, 1e150), st.floats(0, 1e3))
def test_it_is_finite_and_grows_with_t(n: int, t: float, more: float) -> None:
    one, other = e_value(n, t), e_value(n, t + more)
    assert 0 <= one <= other * (1 + 1e-9) <= CERTAIN * (1 + 1e-9)


def test_what_decides_is_less_and_less_spread() -> None:
    found = [deciding_t(n) for n in range(FEWEST, 41)]
    assert found == sorted(found, reverse=True)
    assert [round(deciding_t(n), 2) for n in (3, 5, 10, 20, 40)] == [22.47, 6.36, 4.13, 3.61, 3.45]
    assert e_value(8, deciding_t(8)) == pytest.approx(DECIDES, rel=1e-6)


def test_two_values_decide_nothing() -> None:
    assert e_above(Sample.of([100.0]), 0) == 1
    assert e_above(Sample.of([100.0, 100.0]), 0) == 1
    assert e_above(Sample.of([100.0, 100.0, 100.0]), 0) == CERTAIN


def test_values_that_agree_are_certain_unless_counting_leaves_a_spread() -> None:
    same = Sample.of([0.5] * 4)
    assert e_above(same, 0) == CERTAIN
    assert e_above(same, 0.5) == e_below(same, 0.5) == 0
    assert 1 < e_above(same, 0, least_sd=0.5) < DECIDES


@given(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=20), st.floats(-10, 10), st.floats(0, 10))
def test_the_least_spread_never_helps(values: list[float], bound: float, least: float) -> None:
    sample = Sample.of(values)
    for e in (e_above, e_below):
        assert e(sample, bound, least_sd=least) <= e(sample, bound) * (1 + 1e-9)


# --- simulated nulls ----------------------------------------------------------------------------------------------

WORLDS, SEEDS = 4_000, 40


@pytest.mark.parametrize("mean", [0.0, -0.1, -0.5])
def test_a_look_after_every_seed_up_to_40_decides_wrongly_below_1_in_40(mean: float) -> None:
    """The bound itself is the worst of all means that the null hypothesis allows; 2.5 % is never reached."""
    values = np.random.default_rng(1).normal(mean, 1, (WORLDS, SEEDS))
    assert share_decided(values) < 0.025
    assert share_decided(-values + 2 * mean) < 0.025


def test_so_it_does_on_errors_counted_in_a_few_hundred_images() -> None:
    """Two networks that err on 2 % of 360 images each: many differences agree to the image."""
    draw = np.random.default_rng(2)
    step = 100 / 360
    differences = (
        draw.binomial(360, 0.02, (WORLDS, SEEDS)) - draw.binomial(360, 0.02, (WORLDS, SEEDS))
    ) * step
    least = math.sqrt(2 * step**2 / 12)
    assert share_decided(differences, least) < 0.025
    assert share_decided(-differences, least) < 0.025


def test_an_effect_of_one_spread_is_found_within_20_seeds() -> None:
    assert share_decided(np.random.default_rng(3).normal(1, 1, (WORLDS, 20))) > 0.8
