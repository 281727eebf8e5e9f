"""Choices by the clock, with a clock of the test: made where they pay, and made once."""

from __future__ import annotations

import dataclasses
import json

import pytest

from residua.errors import ResiduaError, UsageError
from residua.machine import Compiler
from residua.registry import build, model_spec
from residua.train import plan as plans
from residua.train.plan import Request, make_plan
from residua.train.processes import Processes

LONG = 20_000  # steps
WORK = 1e10  # multiply-adds of a step


class Clock:
    """Steps that take what the test says, and no time."""

    def __init__(self, eager=0.4, compiled=0.3, compiling=40.0, threads=lambda n: 1.0, layout=1.0):
        self.eager, self.compiled, self.compiling = eager, compiled, compiling
        self.threads, self.layout = threads, layout
        self.spent, self.told, self.batch = 0.0, [], 128

    def key(self, plan):
        machine = {"processor": plan.processor, "device": plan.device}
        return {"machine": machine, "model": {"name": "m"}, "batch_size": self.batch}

    def modules(self):
        return 60

    def compiles(self, plan):
        return True

    def first(self, plan):
        self.spent += self.compiling
        return self.compiling

    def seconds(self, plans, rounds=5, warmup=2):
        found = {name: self._step(plan) for name, plan in plans.items()}
        self.spent += (rounds + warmup) * sum(found.values())
        return found

    def tell(self, text):
        self.told.append(text)

    def _step(self, plan):
        step = self.eager if plan.compile == "off" else self.compiled
        return step * self.threads(plan.threads) * (1 if plan.channels_last else self.layout)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("RESIDUA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(plans, "compiler", lambda: Compiler(name="g++", version="12"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def network():
    return build(model_spec("cifar_resnet8"))


def plan(network, trial, steps=LONG, work=WORK, **asked):
    return make_plan(Request(device="cpu", **{"threads": 2, **asked}), network, work, steps, trial)


def test_compiled_where_it_pays_and_not_where_it_does_not(network):
    assert plan(network, Clock(compiled=0.3)).compile == "network"
    other = Clock(compiled=0.41)
    other.batch = 64
    found = plan(network, other)
    assert found.compile == "off"
    assert "a step takes 0.4 s eager and 0.41 s compiled" in found.reasons[-1]


def test_a_short_training_waits_for_nothing(network):
    clock = Clock()
    assert plan(network, clock, steps=200).compile == "off"
    assert plan(network, clock, work=1e4, steps=1_000).compile == "off"
    assert clock.spent == 0


def test_a_training_of_a_few_minutes_is_timed_eager_and_not_compiled_to_see(network):
    clock = Clock(eager=0.1)
    found = plan(network, clock, steps=1_500)
    assert found.compile == "off" and "too few to find out" in found.reasons[-1]
    assert 0 < clock.spent < 0.01 * 1_500 * clock.eager


def test_a_trial_is_a_small_part_of_the_training(network):
    for steps in (1_000, 3_000, 10_000, 100_000):
        clock = Clock()
        clock.batch = steps
        plan(network, clock, steps=steps)
        assert clock.spent <= 0.12 * steps * clock.eager


def test_a_second_start_chooses_alike_although_the_clock_says_otherwise(network):
    first = plan(network, Clock(compiled=0.3))
    again = Clock(eager=0.3, compiled=0.5)
    assert plan(network, again) == first
    assert again.spent == 0


def test_another_network_that_compiles_quickly_changes_no_choice_that_was_made(network):
    slow = Clock(eager=0.1, compiled=0.05)
    assert plan(network, slow, steps=3_000).compile == "off"  # about 42 s expected, 15 allowed
    quick = Clock(compiling=1.0)
    quick.batch = 256
    plan(network, quick)
    assert plan(network, slow, steps=3_000).compile == "off"
    assert plan(network, slow, steps=3_001).compile == "network"  # now a second is expected


def test_without_a_cache_it_is_timed_at_every_start(network, cache, caplog):
    cache.write_text("no folder")
    assert plan(network, Clock()).compile == "network"
    assert plan(network, Clock(compiled=0.5)).compile == "off"
    assert "not remembered" in caplog.text


def test_what_cannot_be_compiled_is_not(network):
    class Broken(Clock):
        def first(self, plan):
            raise ResiduaError("the step cannot be compiled: no luck")

    found = plan(network, Broken())
    assert found.compile == "off" and "no luck" in " ".join(found.reasons)


def test_choices_that_are_forced_are_not_timed(network):
    clock = Clock()
    assert plan(network, clock, compile="on").compile == "network"
    assert plan(network, clock, compile="off").compile == "off"
    assert plan(network, clock, compile="off", channels_last=False).channels_last is False
    assert clock.spent == 0


def test_tune_takes_the_quickest_of_each_and_remembers_it(network, monkeypatch):
    monkeypatch.setattr(plans, "usable_cores", lambda: 8)
    clock = Clock(threads=lambda n: {1: 3.0, 4: 0.9, 8: 1.0}[n], layout=0.8)
    tuned = plan(network, clock, tune=True, threads=None)
    assert (tuned.threads, tuned.channels_last, tuned.compile) == (4, False, "network")
    assert any("--tune" in reason for reason in tuned.reasons)
    spent = clock.spent
    later = plan(network, clock, threads=None)
    assert (later.threads, later.channels_last, later.compile) == (4, False, "network")
    assert clock.spent == spent


def test_tune_leaves_what_is_named(network, monkeypatch):
    monkeypatch.setattr(plans, "usable_cores", lambda: 8)
    clock = Clock(threads=lambda n: {1: 3.0, 3: 2.0, 4: 0.9, 8: 1.0}[n], layout=0.8)
    tuned = plan(network, clock, tune=True, threads=3, compile="off")
    assert (tuned.threads, tuned.channels_last, tuned.compile) == (3, False, "off")
    assert plan(network, clock, threads=None, compile="off").threads == 8  # that was another question


def test_tune_never_takes_a_precision_that_is_emulated(network, monkeypatch):
    here = dataclasses.replace(plans.machine(), instructions=("avx2",))
    monkeypatch.setattr(plans, "machine", lambda: here)
    assert plan(network, Clock(), tune=True).precision == "float32"


def test_tune_needs_a_training(network):
    with pytest.raises(UsageError, match="--tune"):
        make_plan(Request(device="cpu", tune=True), network, 1, 1)


def test_several_processes_have_no_clock_in_common(network):
    two = Processes(count=2)
    with pytest.raises(UsageError, match="--tune is for one process"):
        plan(network, Clock(), tune=True, processes=two)
    plan(network, Clock(layout=0.5), tune=True)
    assert plan(network, Clock(), processes=two).channels_last is True


@pytest.mark.parametrize("asked", [{"cuda_graphs": True, "compile": "on"}, {"tf32": True}])
def test_what_only_a_gpu_has_is_refused_on_a_cpu(network, asked):
    with pytest.raises(UsageError, match="GPU"):
        plan(network, None, **asked)


@pytest.mark.parametrize(
    "damage",
    [
        {"seconds": {"x": 1.0}, "compiling": {"network": 1.0}},
        {"seconds": {"off": 1.0, "network": 0.1}, "compiling": {}},
        {"eager": 0.4, "modules": None},
        {"seconds": {"off": -1.0}},
        {"decided": {str(LONG): "sideways"}},
    ],
)
def test_a_record_that_somebody_has_edited_stops_nobody(network, cache, damage):
    plan(network, Clock())
    (file,) = cache.rglob("*.json")
    record = dict.fromkeys(("eager", "modules", "seconds", "compiling", "cold", "decided"))
    file.write_text(json.dumps({**json.loads(file.read_text()), **record, **damage}))
    assert plan(network, Clock()).compile in ("off", "network")
