"""The loop with a task of two networks and two optimisers, as a GAN has: it knows nothing of classification."""

import json
import os
import signal

import pytest
import torch
from torch import nn

from residua.errors import ResiduaError
from residua.runs.checkpoint import load_checkpoint
from residua.spec import Metric, Recipe
from residua.train.interruption import Interrupted
from residua.train.loop import Loop
from residua.train.progress import Progress
from residua.train.supervised import means
from residua.weights.model_files import read_tensors


class Duel:
    """A generator learns to hit what a critic approves of; the critic learns to tell. Dropout draws at each step."""

    primary = Metric("gap", "min")

    def __init__(self):
        torch.manual_seed(0)
        self.networks = {
            "generator": nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 4)),
            "critic": nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1)),
        }
        self.optimizers = {
            "generator": torch.optim.Adam(self.networks["generator"].parameters(), lr=1e-2),
            "critic": torch.optim.SGD(
                self.networks["critic"].parameters(), lr=1e-2, momentum=0.9, fused=True
            ),
        }
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["initial_lr"] = group["lr"]

    def _critic_loss(self, batch, made):
        critic = self.networks["critic"]
        return (1 - critic(batch)).relu().mean() + (1 + critic(made)).relu().mean()

    def step(self, batch, progress):
        for network in self.networks.values():
            network.train()
        made = self.networks["generator"](torch.randn_like(batch))
        loss = self._critic_loss(batch, made.detach())
        self.optimizers["critic"].zero_grad()
        loss.backward()
        self.optimizers["critic"].step()
        self.optimizers["generator"].zero_grad()
        (-self.networks["critic"](made).mean()).backward()
        self.optimizers["generator"].step()
        return {"loss": loss.detach() * len(batch), "count": torch.tensor(len(batch))}

    @torch.no_grad()
    def evaluate(self, batch):
        for network in self.networks.values():
            network.eval()
        gap = (self.networks["generator"](batch).mean() - batch.mean()).abs()
        return {"gap": gap * len(batch), "count": torch.tensor(len(batch))}

    metrics = staticmethod(means)


class Numbers:
    steps_per_epoch = 5

    def __init__(self, on_step=None):
        self.on_step = on_step

    def epoch(self, epoch, start=0):
        for index in range(start, self.steps_per_epoch):
            if self.on_step:
                self.on_step(epoch * self.steps_per_epoch + index)
            yield torch.randn(6, 4, generator=torch.Generator().manual_seed(100 * epoch + index))


def make_loop(folder, task, *, epochs=4, iterations=None, state=None, on_step=None, validation=True):
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    recipe = Recipe(epochs=epochs, iterations=iterations, schedule="cosine", warmup=0.2, log_every=2)
    return Loop(
        task,
        Numbers(on_step),
        (lambda: Numbers().epoch(99)) if validation else None,
        recipe=recipe,
        seed=3,
        folder=folder,
        about={},
        state=state,
        progress=Progress(),
    )


def everything(folder):
    tensors, about = read_tensors(folder / "checkpoints" / "last.safetensors")
    state = about["state"]
    state.pop("seconds")
    state["logs"].pop("timings.jsonl")
    return tensors, state, (folder / "metrics.jsonl").read_bytes()


@pytest.mark.parametrize("stop_at", [0, 1, 4, 5, 7, 14, 19])
def test_a_run_stopped_at_any_step_resumes_bit_for_bit(tmp_path, stop_at):
    make_loop(tmp_path / "whole", Duel()).run()

    def stop(step):
        if step == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)

    folder = tmp_path / "stopped"
    with pytest.raises(Interrupted) as stopped:
        make_loop(folder, Duel(), on_step=stop).run()
    assert stopped.value.exit_code == 128 + signal.SIGTERM
    (folder / "metrics.jsonl").open("ab").write(
        b'{"event": "step", "half a li'
    )  # what a kill can leave behind

    task = Duel()
    state = load_checkpoint(folder / "checkpoints" / "last.safetensors", task)
    assert 0 < state.step <= stop_at + 1
    make_loop(folder, task, state=state).run()

    (tensors, state, metrics), (tensors2, state2, metrics2) = (
        everything(tmp_path / "whole"),
        everything(folder),
    )
    assert metrics == metrics2
    assert state == state2
    assert tensors.keys() == tensors2.keys()
    assert all(torch.equal(tensors[name], tensors2[name]) for name in tensors)
    assert any(name.startswith("optimizers.generator") for name in tensors)


@pytest.fixture
def stopping(tmp_path):
    """Runs a loop to which a signal is sent after its third step."""

    def run(name):
        number = getattr(signal, name, None)
        if number is None:
            pytest.skip(f"there is no {name} here")
        folder = tmp_path / "a run"
        make_loop(
            folder, Duel(), on_step=lambda step: os.kill(os.getpid(), number) if step == 3 else None
        ).run()
        return folder

    return run


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_leaves_a_checkpoint_and_the_command_that_goes_on(stopping, tmp_path, name):
    with pytest.raises(Interrupted) as stopped:
        stopping(name)
    step = stopped.value.step
    assert step in (3, 4)
    assert (
        str(stopped.value) == f"interrupted at step {step}: residua train --resume '{tmp_path}/a run' goes on"
    )
    assert stopped.value.exit_code == 128 + getattr(signal, name)
    assert load_checkpoint(tmp_path / "a run" / "checkpoints" / "last.safetensors", Duel()).step == step


def test_a_hangup_that_nohup_ignores_stays_ignored(stopping):
    if not hasattr(signal, "SIGHUP"):
        pytest.skip("there is no SIGHUP here")
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert len(lines(stopping("SIGHUP"))) == 14  # all of them
    finally:
        signal.signal(signal.SIGHUP, before)


def test_iterations_end_in_the_middle_of_an_epoch(tmp_path):
    state = make_loop(tmp_path, Duel(), iterations=13).run()
    assert (state.step, state.epochs_closed) == (13, 3)
    epochs = [line for line in lines(tmp_path) if line["event"] == "epoch"]
    assert [line["step"] for line in epochs] == [5, 10, 13]


def test_step_lines_come_every_log_every_steps_and_carry_the_rate(tmp_path):
    make_loop(tmp_path, Duel()).run()
    steps = [line for line in lines(tmp_path) if line["event"] == "step"]
    assert [line["step"] for line in steps] == list(range(2, 21, 2))
    assert steps[0]["lr"] < max(line["lr"] for line in steps) > steps[-1]["lr"]


def test_best_follows_the_direction_of_the_primary_metric(tmp_path):
    state = make_loop(tmp_path, Duel()).run()
    gaps = [line["val_gap"] for line in lines(tmp_path) if line["event"] == "epoch"]
    assert state.best == min(gaps)
    assert gaps[state.best_epoch] == state.best
    assert (tmp_path / "checkpoints" / "best.safetensors").exists()


def test_without_validation_there_is_no_best(tmp_path):
    state = make_loop(tmp_path, Duel(), validation=False).run()
    assert state.best is None
    assert not (tmp_path / "checkpoints" / "best.safetensors").exists()


def test_a_loss_that_is_no_longer_finite_ends_the_run_in_one_line(tmp_path):
    task = Duel()
    nn.init.constant_(task.networks["critic"][3].weight, float("nan"))
    with pytest.raises(ResiduaError, match=r"no longer finite at step 1: from the first step on.*step 0"):
        make_loop(tmp_path, task).run()


def test_logs_that_lost_what_the_checkpoint_knows_are_refused(tmp_path):
    make_loop(tmp_path, Duel(), epochs=1).run()
    (tmp_path / "metrics.jsonl").write_text("")
    task = Duel()
    state = load_checkpoint(tmp_path / "checkpoints" / "last.safetensors", task)
    with pytest.raises(ResiduaError, match=r"metrics\.jsonl is damaged"):
        make_loop(tmp_path, task, state=state).run()


def test_handlers_are_given_back(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    make_loop(tmp_path, Duel(), epochs=1).run()
    assert signal.getsignal(signal.SIGINT) is before


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
