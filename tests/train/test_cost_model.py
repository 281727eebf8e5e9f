"""When compiling pays: more steps never speak against it, a longer compilation never for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from residua.train.cost_model import EAGER, PROBE_STEPS, TRIAL_SHARE, quickest, worth_timing, worth_trying

seconds = st.floats(min_value=1e-4, max_value=1e3)
steps = st.floats(min_value=1, max_value=1e7)
more = st.floats(min_value=1, max_value=1e3)


@given(steps, seconds, seconds, more)
def test_trying_pays_the_longer_the_training_and_the_quicker_the_compiler(n, eager, compiling, factor):
    if worth_trying(n, eager, compiling):
        assert worth_trying(n * factor, eager, compiling)
        assert worth_trying(n, eager * factor, compiling)
        assert worth_trying(n, eager, compiling / factor)


@given(steps, seconds, seconds, seconds, more)
def test_what_is_compiled_for_some_steps_is_compiled_for_more(n, eager, compiled, compiling, factor):
    timed = {EAGER: eager, "network": compiled}
    if quickest(n, timed, {"network": compiling}) == "network":
        assert quickest(n * factor, timed, {"network": compiling}) == "network"
        assert quickest(n, timed, {"network": compiling / factor}) == "network"
        assert quickest(n, timed | {"network": compiled / factor}, {"network": compiling}) == "network"
        assert n * compiled + compiling < n * eager


@given(steps, seconds, seconds)
def test_a_trial_takes_a_small_share_of_the_training(n, eager, compiling):
    if worth_trying(n, eager, compiling):
        assert compiling <= TRIAL_SHARE * n * eager


@given(steps, more)
def test_a_longer_training_is_no_less_worth_timing(n, factor):
    if worth_timing(n, n * 0.1):
        assert worth_timing(n * factor, n * factor * 0.1)


@pytest.mark.parametrize(
    ("n", "estimate"), [(220, 8.0), (10_000, 10.0), (PROBE_STEPS, 1e6)]
)  # the digits, a small network for long, a huge one for a moment
def test_small_trainings_never_wait(n, estimate):
    assert not worth_timing(n, estimate)


def test_a_gain_within_the_noise_is_none():
    """On AVX2 compiling gained nothing measurable: however long the training, it is left out."""
    assert quickest(1e9, {EAGER: 0.400, "network": 0.396}, {"network": 5.0}) == EAGER
    assert quickest(1e9, {EAGER: 0.400, "network": 0.380}, {"network": 5.0}) == "network"


def test_of_two_ways_the_one_that_ends_first():
    timed = {EAGER: 0.02, "network": 0.015, "network with CUDA graphs": 0.008}
    compiling = {"network": 10.0, "network with CUDA graphs": 30.0}
    assert quickest(1_000, timed, compiling) == EAGER
    assert quickest(2_300, timed, compiling) == "network"
    assert quickest(10_000, timed, compiling) == "network with CUDA graphs"
