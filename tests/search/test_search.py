"""A search keeps its budget and its target, goes on where it stopped, and chooses by the validation images."""

import json
from types import SimpleNamespace

import pytest

from residua.data.facts import Facts
from residua.errors import ResiduaError, UsageError
from residua.report.search_page import render_search
from residua.search import search as room
from residua.search.candidates import candidates
from residua.search.record import FILE
from residua.search.search import search
from residua.search.target import Target, parse_seconds, parse_target
from residua.spec import DataSpec
from residua.train import StopTraining

PHOTOS = Facts(kind="folder", counts={"train": (54, 54)}, channels=1, sides=(64, 80, 140))
LATENCY = {"cifar_resnet8": 1e-3, "cifar_resnet20": 2e-3, "cifar_resnet32": 3e-3, "cifar_resnet56": 5e-3}
SCORES = {"cifar_resnet8": 0.5, "cifar_resnet20": 0.6, "cifar_resnet32": 0.8, "cifar_resnet56": 0.9}


class Clock:
    """Time that passes when something is trained."""

    def __init__(self):
        self.now, self.trained, self.pace, self.kill = 0.0, [], 1.0, None

    def monotonic(self):
        return self.now

    def train(self, candidate, data, path, how, shorter, stop_at):
        share = shorter.get("epochs", candidate.epochs) / candidate.epochs
        took = candidate.seconds * self.pace * share
        if candidate.name == self.kill:
            raise KeyboardInterrupt
        self.now = min(self.now + took, stop_at)
        self.trained.append(candidate.name)
        score = SCORES[candidate.spec.name]
        result = {
            "primary": "accuracy",
            "direction": "max",
            "val_accuracy": score,
            "test_accuracy": 1 - score,
        }
        return SimpleNamespace(path=path, result={**result, "seconds": 0.0})


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(room, "_train", clock.train)
    monkeypatch.setattr(room, "time", clock)
    monkeypatch.setattr(room, "read_facts", lambda data: PHOTOS)
    monkeypatch.setattr(room, "build", lambda spec: spec.name)
    monkeypatch.setattr(room, "latency", lambda name, shape, device: LATENCY[name] * shape[-1] / 32)
    return clock


def seek(folder, budget, target=None, **how):
    return search(DataSpec.of("folder:photos"), budget=budget, target=target, folder=folder, how=how)


def test_the_usual_choice_comes_first_and_then_what_costs_about_as_much():
    tried = candidates(PHOTOS, threads=2)
    assert tried[0].name == "cifar_resnet20-64px"
    assert len({each.name for each in tried}) == len(tried) == 12  # four networks at three sizes
    assert [each.name for each in candidates(PHOTOS, model="cifar_resnet8", threads=2)] == [
        "cifar_resnet8-64px", "cifar_resnet8-48px", "cifar_resnet8-32px"
    ]  # fmt: skip
    with pytest.raises(UsageError, match="networks for images"):
        candidates(Facts(kind="volumes", counts={"train": (3, 3)}, shape=(1, 8, 8, 8)))


@pytest.mark.parametrize("budget", [10.0, 300.0, 1000.0])
@pytest.mark.parametrize("pace", [0.3, 1.0, 4.0])
def test_the_budget_is_kept_whatever_the_machine(clock, tmp_path, budget, pace):
    clock.pace = pace
    record = seek(tmp_path / "s", budget, model="cifar_resnet20", threads=2)
    assert clock.now <= 1.1 * budget
    assert record.trials[0].status == "trained"


def test_the_best_is_told_by_validation_among_those_that_meet_the_target(clock, tmp_path):
    record = seek(tmp_path / "s", 1e6, Target("cpu", 4e-3), threads=2)
    best = next(trial for trial in record.trials if trial.name == record.best)
    assert best.model == "cifar_resnet32"
    assert best.latency_ms <= 4.0
    too_slow = {trial.name for trial in record.trials if trial.status == "too slow"}
    assert too_slow.isdisjoint(clock.trained)
    assert "cifar_resnet56-32px" in too_slow
    with pytest.raises(
        UsageError, match=r"no network meets --target cpu:0\.01ms: the fastest takes 1\.00 ms"
    ):
        seek(tmp_path / "none", 1e6, Target("cpu", 1e-5), model="cifar_resnet8", threads=2)


def test_what_is_finished_is_not_trained_again_and_a_larger_budget_goes_on(clock, tmp_path):
    folder = tmp_path / "s"
    clock.kill = "cifar_resnet32-48px"
    with pytest.raises(KeyboardInterrupt):
        seek(folder, 1e6, threads=2)
    before, clock.kill = list(clock.trained), None
    assert before
    whole = seek(folder, 1e6, threads=2)
    assert sorted(clock.trained) == sorted(set(clock.trained))  # each once
    assert len(clock.trained) > len(before)
    again = seek(folder, 1e6, threads=2)
    assert again.to_dict() == whole.to_dict()
    with pytest.raises(UsageError, match="holds another search: its target is None, cpu:1ms is asked for"):
        seek(folder, 1e6, Target("cpu", 1e-3), threads=2)
    (folder / FILE).write_text(json.dumps({"asked": {}, "trials": [{"shoe": 1}]}))
    with pytest.raises(ResiduaError, match="damaged: it is no search"):
        seek(folder, 1e6, threads=2)


def test_a_foreign_folder_is_not_taken(clock, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds no search"):
        seek(tmp_path, 10.0)


def test_the_deadline_ends_a_training_by_its_callback(clock):
    deadline = room._Deadline(5.0)
    deadline.on_step(None)
    clock.now = 6.0
    with pytest.raises(StopTraining, match="the budget is spent"):
        deadline.on_step(None)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_shows_every_candidate(clock, tmp_path, lang):
    record = seek(tmp_path / "s", 1e6, Target("cpu", 4e-3), threads=2)
    render_search(record, tmp_path / "search.html", lang=lang)
    text = (tmp_path / "search.html").read_text(encoding="utf-8")
    assert all(trial.name in text for trial in record.trials)
    assert "<svg" in text


@pytest.mark.parametrize(
    ("text", "seconds"), [("10m", 600.0), ("90s", 90.0), ("1.5h", 5400.0), ("5ms", 0.005), ("2 min", 120.0)]
)
def test_times_are_read(text, seconds):
    assert parse_seconds(text, "--budget") == pytest.approx(seconds)
    assert str(parse_target("gpu:1ms")) == "gpu:1ms"


@pytest.mark.parametrize("text", ["", "10", "m", "-5m", "0s", "1d", "ten m", "1e3s", "5ms5"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(UsageError, match="--budget takes a time"):
        parse_seconds(text, "--budget")
    with pytest.raises(UsageError, match="--target takes"):
        parse_target(f"cpu:{text}")
    with pytest.raises(UsageError, match="--target takes cpu:5ms or gpu:1ms"):
        parse_target(text)
