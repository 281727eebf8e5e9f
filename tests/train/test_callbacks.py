"""Callbacks: what they see, that they change no bit, and how what they raise ends a run."""

import pytest
import torch

from residua.errors import ResiduaError, UsageError
from residua.report import render_report
from residua.train import Callback, StopTraining, fit, resume

MODEL = {"model": "residual_mlp_tiny", "progress": False, "threads": 1}
SHORT = {**MODEL, "recipe_changes": {"epochs": 3, "log_every": 10}}


class Watch(Callback):
    def __init__(self):
        self.steps, self.epochs, self.ends = [], [], []

    def on_step(self, moment):
        torch.rand(3)  # draws of a callback are nobody else's
        self.steps.append(moment)

    def on_epoch(self, moment):
        self.epochs.append(moment)

    def on_end(self, moment):
        assert not (moment.folder / "result.json").exists()
        self.ends.append(moment)


class Failing(Callback):
    def __init__(self, when, at, error):
        self.at, self.error = at, error
        setattr(self, when, self._raise)

    def _raise(self, moment):
        if moment.step >= self.at:
            raise self.error


def outcome(folder):
    return [(folder.path / name).read_bytes() for name in ("model.safetensors", "metrics.jsonl")]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return fit(run_dir=tmp_path_factory.mktemp("plain") / "run", **SHORT)


def test_they_see_every_step_and_epoch_and_the_end_and_change_no_bit(plain, tmp_path):
    watch = Watch()
    run = fit(run_dir=tmp_path / "run", callbacks=[watch], **SHORT)
    assert outcome(run) == outcome(plain)
    assert {k: v for k, v in run.result.items() if k not in ("run_dir", "seconds")} == {
        k: v for k, v in plain.result.items() if k not in ("run_dir", "seconds")
    }
    total = run.result["steps"]
    assert [m.step for m in watch.steps] == [*range(1, total + 1)]
    assert [m.epoch for m in watch.epochs] == [0, 1, 2]
    lines = run.metrics("epoch")
    assert [m.metrics["val_loss"] for m in watch.epochs] == [line["val_loss"] for line in lines]
    assert watch.steps[9].metrics["loss"] == run.metrics("step")[0]["loss"]
    (end,) = watch.ends
    assert end.metrics["test_accuracy"] == run.result["test_accuracy"]
    assert (end.folder, end.total_steps) == (run.path, total)
    assert end.network.spec.name == "residual_mlp_tiny"


def test_what_they_see_cannot_be_set(tmp_path):
    watch = Watch()
    fit(run_dir=tmp_path / "run", callbacks=[watch], limit_batches=1, **SHORT)
    with pytest.raises(AttributeError):
        watch.ends[0].step = 3
    with pytest.raises(TypeError):
        watch.ends[0].metrics["test_accuracy"] = 1.0


@pytest.mark.parametrize(("when", "at"), [("on_step", 7), ("on_epoch", 20), ("on_end", 0)])
def test_what_they_raise_ends_the_run_saved_and_it_goes_on_to_the_same_bits(plain, tmp_path, when, at):
    failing = Failing(when, at, ValueError("two\nlines"))
    with pytest.raises(
        ResiduaError, match=rf"callback Failing failed in {when} at step \d+: ValueError"
    ) as got:
        fit(run_dir=tmp_path / "run", callbacks=[failing], **SHORT)
    assert "\n" not in str(got.value)
    assert got.value.exit_code == 1
    assert f"residua train --resume {tmp_path / 'run'} goes on" in str(got.value)
    assert not (tmp_path / "run" / "result.json").exists()
    assert outcome(resume(tmp_path / "run", progress=False)) == outcome(plain)


@pytest.mark.parametrize("when", ["on_step", "on_epoch"])
def test_a_callback_can_end_a_training_early_and_the_run_is_complete(tmp_path, when):
    run = fit(run_dir=tmp_path / "run", callbacks=[Failing(when, 25, StopTraining("good enough"))], **SHORT)
    step = {"on_step": 25, "on_epoch": 40}[when]
    assert run.result["steps"] == step
    assert run.result["stopped"] == {"by": "Failing", "step": step, "why": "good enough"}
    assert run.result["test_accuracy"] > 0.2
    assert [line["epoch"] for line in run.metrics("epoch")] == [0, 1]
    assert resume(run, progress=False).result["steps"] == step  # it is complete
    assert render_report([run.path]).exists()


def test_the_end_of_a_resumed_run_is_told_too(tmp_path):
    with pytest.raises(ResiduaError):
        fit(run_dir=tmp_path / "run", callbacks=[Failing("on_step", 3, RuntimeError())], **SHORT)
    watch = Watch()
    run = resume(tmp_path / "run", progress=False, callbacks=[watch])
    assert [m.step for m in watch.steps] == [*range(4, run.result["steps"] + 1)]
    assert len(watch.ends) == 1


def test_what_is_no_callback_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UsageError, match=r"a callback is a residua.train.Callback .*, not function"):
        fit(run_dir=tmp_path / "run", callbacks=[lambda moment: None], **SHORT)
    assert not (tmp_path / "run").exists()
