"""Timing: turns alternate, ratios are taken round by round, the evidence is JSON."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from residua.errors import UsageError
from residua.timing import Comparison, Spread, Timing, bandwidth, compare, once, peak_flops, spread


class Clock:
    """Only ``sleep`` moves it: a machine's load does not."""

    def __init__(self) -> None:
        self.now = 0

    def perf_counter_ns(self):
        return self.now

    def sleep(self, seconds):
        self.now += round(seconds * 1e9)


@pytest.fixture
def clock(monkeypatch):
    fake = Clock()
    monkeypatch.setattr("residua.timing.time", fake)
    return fake


seconds = st.floats(min_value=1e-9, max_value=1e4)


def comparison(**rounds):
    timings = {name: Timing(calls=1, seconds=tuple(values)) for name, values in rounds.items()}
    return Comparison(baseline=next(iter(rounds)), warmup=0, min_seconds=0, timings=timings)


def test_candidates_take_turns_and_a_different_one_begins_each_round():
    calls = []
    candidates = {name: (lambda name=name: calls.append(name)) for name in "abc"}
    compare(candidates, rounds=3, warmup=0, min_seconds=0)
    assert "".join(calls) == "abcbcacab"


def test_warmup_calls_are_not_counted(clock):
    calls = []

    def slow_at_first():
        calls.append(clock.sleep(5 if len(calls) < 2 else 1))

    found = compare({"a": slow_at_first}, warmup=2, min_seconds=0)
    assert len(calls) == 2 + 7
    assert found.timings["a"].seconds == (1,) * 7


@pytest.mark.parametrize(("single", "calls"), [(0.5, 6), (2, 2), (100, 1)])
def test_a_turn_lasts_about_min_seconds(clock, single, calls):
    found = compare({"a": lambda: clock.sleep(single)}, rounds=2, min_seconds=3)
    assert found.timings["a"].calls == calls
    assert found.timings["a"].seconds == (single, single)


def test_the_slower_one_has_a_speedup_below_one(clock):
    found = compare({"fast": lambda: clock.sleep(1), "slow": lambda: clock.sleep(4)}, rounds=3, min_seconds=0)
    assert found.speedup("slow") == Spread(low=0.25, median=0.25, high=0.25)
    assert found.speedup("fast") == Spread(low=1, median=1, high=1)
    assert compare({"a": int, "b": int}, rounds=1, min_seconds=0, baseline="b").baseline == "b"


def test_ratios_are_paired_by_round():
    """A machine that is ten times slower in one round slows both: the pairs do not see it."""
    found = comparison(base=[2.0, 20.0, 2.2], twice=[1.0, 10.0, 1.1])
    assert found.speedup("twice").low == found.speedup("twice").high == pytest.approx(2)


@given(st.lists(seconds, min_size=1, max_size=20), st.sampled_from([0.1, 0.25, 0.5]))
def test_spread_stays_within_the_values_and_in_order(values, tail):
    found = spread(values, tail)
    slack = 1 + 1e-9
    assert min(values) <= found.low * slack
    assert found.low <= found.median * slack <= found.high * slack**2
    assert found.high <= max(values) * slack


def test_spread_is_linear_between_values():
    found = spread([4.0, 1.0, 3.0, 2.0, 5.0], 0.25)
    assert (found.low, found.median, found.high) == (2, 3, 4)
    assert spread([1.0, 2.0], 0.1).low == pytest.approx(1.1)


@given(
    st.integers(1, 4).flatmap(
        lambda n: st.lists(st.lists(seconds, min_size=n, max_size=n), min_size=1, max_size=3)
    )
)
def test_evidence_is_json_and_complete(rounds):
    found = comparison(**{f"c{i}": values for i, values in enumerate(rounds)}).to_dict()
    again = json.loads(json.dumps(found, allow_nan=False))
    assert again == found
    assert [entry["seconds"] for entry in again["candidates"].values()] == rounds
    assert again["candidates"]["c0"]["speedup_10_90"] == [1, 1]


@pytest.mark.parametrize(
    "arguments",
    [
        {"candidates": {}},
        {"candidates": {"eager": int}, "baseline": "eagre"},
        {"candidates": {"a": int}, "rounds": 0},
        {"candidates": {"a": int}, "warmup": -1},
        {"candidates": {"a": int}, "min_seconds": -0.1},
    ],
)
def test_what_cannot_be_timed_is_refused(arguments):
    with pytest.raises(UsageError):
        compare(**arguments)


def test_a_wrong_baseline_names_the_near_one():
    with pytest.raises(UsageError, match="did you mean 'eager'"):
        compare({"eager": int}, baseline="eagre")


def test_a_failing_candidate_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        compare({"a": lambda: 1 / 0})


def test_once_gives_the_result_and_its_seconds(clock):
    assert once(lambda: clock.sleep(0.5) or "done") == ("done", 0.5)


def test_the_clock_is_the_system_s():
    began = time.perf_counter_ns()
    _, took = once(lambda: time.sleep(0.01))
    assert 0.01 <= took <= (time.perf_counter_ns() - began) / 1e9


def test_limits_of_the_machine_are_positive_and_types_are_checked():
    assert peak_flops("bfloat16", size=64) > 0
    assert bandwidth(megabytes=4) > 0
    for wrong in ("int8", "float33", "nn", "__doc__"):
        with pytest.raises(UsageError, match=wrong):
            peak_flops(wrong)
