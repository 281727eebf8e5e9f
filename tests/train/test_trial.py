"""A trial times real steps and leaves no trace in what is trained; what it decides is decided once."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch

from residua.data import load_data
from residua.machine import compiler
from residua.registry import build, model_spec
from residua.train import Request, fit, make_plan, recipe
from residua.train import plan as plans
from residua.train.trial import Trial

OPTIONS = {"threads": 1, "progress": False, "recipe_changes": {"epochs": 1}, "limit_batches": 3}


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("RESIDUA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def data():
    return load_data("digits")


@pytest.fixture
def trial(data):
    network = build(model_spec("cifar_resnet8", in_channels=1))
    return Trial(network, recipe("digits", batch_size=16), data, print), network


def test_a_trial_times_steps_and_changes_nothing(trial):
    trial, network = trial
    plan = make_plan(Request(device="cpu", threads=1, precision="float32"), network, 0, 0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    seconds = trial.seconds({"one": plan, "two": plan.change(channels_last=False)}, rounds=2, warmup=1)
    assert torch.equal(torch.rand(3), expected)
    assert set(seconds) == {"one", "two"} and min(seconds.values()) > 0
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert trial.compiles(plan)


def test_its_key_is_of_what_decides_seconds_and_of_nothing_else(trial, data):
    trial, network = trial
    plan = make_plan(Request(device="cpu", threads=1), network, 0, 0)
    key = trial.key(plan)
    assert json.loads(json.dumps(key)) == key
    other_rate = Trial(network, recipe("digits", batch_size=16, lr=0.5, epochs=3), data, print)
    assert other_rate.key(plan) == key
    other_batch = Trial(network, recipe("digits", batch_size=8), data, print)
    assert other_batch.key(plan) != key


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(compiler().problem is not None, reason="no C++ compiler")
def test_the_first_compiled_step_is_quicker_once_its_code_is_kept(trial, cache):
    """Real code: the loss of a compiled step is the eager one's, and compiling takes less the second time."""
    trial, network = trial
    plan = make_plan(Request(device="cpu", threads=1, precision="float32", compile="on"), network, 0, 0)
    cold, warm = trial.first(plan), trial.first(plan)
    assert warm < cold / 2
    seconds = trial.seconds({"off": plan.change(compile="off"), "network": plan}, rounds=2)
    assert max(seconds.values()) < warm


def test_a_training_is_timed_once_and_its_bits_do_not_depend_on_it(cache, tmp_path, monkeypatch):
    plain = fit("cifar_resnet8", "digits", run_dir=tmp_path / "plain", compile="off", **OPTIONS)
    monkeypatch.setattr(plans, "worth_timing", lambda steps, estimate: True)
    told = SimpleNamespace(count=0)
    seconds = Trial.seconds

    def counted(self, *args, **how):
        told.count += 1
        return seconds(self, *args, **how)

    monkeypatch.setattr(Trial, "seconds", counted)
    first = fit("cifar_resnet8", "digits", run_dir=tmp_path / "first", **OPTIONS)
    second = fit("cifar_resnet8", "digits", run_dir=tmp_path / "second", seed=1, **OPTIONS)
    assert told.count == 1
    assert first.plan == second.plan and first.plan.compile == "off"
    assert "3 steps" in first.plan.reasons[-1]
    assert plain.weights.read_bytes() == first.weights.read_bytes()
    assert len(list(cache.rglob("*.json"))) == 1
