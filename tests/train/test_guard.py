"""Backing off from a loss that diverges, and stopping early: exact, wherever a kill falls."""

import dataclasses
import json
import math
from contextlib import nullcontext
from functools import partial

import pytest
import torch
from torch import nn

from residua.errors import ResiduaError, UsageError
from residua.runs.checkpoint import State, load_checkpoint
from residua.runs.layout import GOOD
from residua.spec import Metric, Recipe
from residua.train import RunFolder, fit, loop, resume
from residua.train.guard import MOST, Diverged, Guard
from residua.train.loop import Loop
from residua.train.progress import Progress
from residua.train.supervised import make_optimizer, means, take_step
from residua.weights.model_files import read_tensors

STEPS = 5  # an epoch


class Line:
    """A straight line is fitted: with too high a rate it diverges. ``scores`` are what its epochs are worth."""

    primary = Metric("score", "max")
    metrics = staticmethod(means)

    def __init__(self, recipe, scores=()):
        torch.manual_seed(0)
        network = nn.Linear(4, 1)
        network.register_buffer("steps", torch.tensor(0))
        self.networks, self.recipe, self.scores = {"model": network}, recipe, scores
        self.optimizers = {"model": make_optimizer(network, recipe)}

    def step(self, batch, progress):
        network = self.networks["model"]
        loss = ((network(batch) - batch.sum(1, keepdim=True)) ** 2).mean()
        loss.backward()
        take_step(self.optimizers["model"], self.recipe)
        network.steps += 1
        return {"loss": loss.detach() * len(batch), "count": torch.tensor(len(batch))}

    def evaluate(self, batch):
        epoch = int(self.networks["model"].steps) // STEPS - 1
        return {"score": torch.tensor(self.scores[epoch]), "count": torch.tensor(1)}


class Killed(Exception):
    """As by kill -9: nothing is saved any more."""


class Batches:
    steps_per_epoch = STEPS

    def __init__(self, kill_at=None):
        self.left = math.inf if kill_at is None else kill_at

    def epoch(self, epoch, start=0):
        for index in range(start, STEPS):
            if self.left == 0:
                raise Killed
            self.left -= 1
            yield torch.randn(8, 4, generator=torch.Generator().manual_seed(100 * epoch + index))


def make_loop(folder, recipe, *, kill_at=None, scores=(), go_on=False):
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    task, last = Line(recipe, scores), folder / "checkpoints" / "last.safetensors"
    return Loop(
        task,
        Batches(kill_at),
        (lambda: [None]) if scores else None,
        recipe=recipe,
        seed=0,
        folder=folder,
        about={},
        state=load_checkpoint(last, task) if go_on and last.exists() else State(),
        progress=Progress(),
        chance=4.0,  # the variance of the targets
    )


def everything(folder):
    tensors, about = read_tensors(folder / "checkpoints" / "last.safetensors")
    state = about["state"]
    del state["seconds"], state["logs"]["timings.jsonl"]
    return (
        {name: value.tolist() for name, value in tensors.items()},
        state,
        (folder / "metrics.jsonl").read_bytes(),
    )


STEEP = Recipe(epochs=6, lr=2.0, schedule="linear", warmup=0.3, backoff=0.25, log_every=1)


def test_a_training_that_diverges_goes_back_and_learns_with_a_lower_rate(tmp_path):
    trained = make_loop(tmp_path, STEEP)
    state = trained.run()
    assert 0 < state.backoffs < MOST
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    backed = [line for line in lines if line["event"] == "backoff"]
    assert [line["factor"] for line in backed] == [0.25**n for n in range(1, state.backoffs + 1)]
    assert [line["step"] for line in lines if line["event"] == "step"] == list(range(1, 31))
    assert state.last_epoch["train_loss"] < 4.0  # of a line that knows nothing
    with pytest.raises(ResiduaError, match="no longer finite"):
        make_loop(tmp_path / "unguarded", dataclasses.replace(STEEP, backoff=None, lr=500.0)).run()


@pytest.mark.parametrize("seconds", [0.0, 1e9], ids=["saved at each step", "saved at the end"])
def test_a_kill_anywhere_around_a_backoff_changes_nothing(tmp_path, monkeypatch, seconds):
    make_loop(tmp_path / "whole", STEEP).run()
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", seconds)
    monkeypatch.setattr(loop, "_CHECKPOINT_SHARE", 1e9)
    for moment in range(0, 45, 3):
        folder = tmp_path / str(moment)
        try:
            make_loop(folder, STEEP, kill_at=moment).run()
        except Killed:
            with (folder / "metrics.jsonl").open("ab") as log:
                log.write(b'{"event": "half a li')
        make_loop(folder, STEEP, go_on=True).run()
        assert everything(folder) == everything(tmp_path / "whole"), moment


def test_what_diverges_at_any_rate_is_given_up_with_one_line(tmp_path):
    with pytest.raises(ResiduaError, match=r"diverges .* try a smaller --lr, or look at the data"):
        make_loop(tmp_path, dataclasses.replace(STEEP, lr=1e6)).run()


@pytest.mark.parametrize(
    ("loss", "chance", "step", "epoch"),
    [
        (2.0, 1.0, True, True),
        (5.0, 1.0, True, False),
        (11.0, 1.0, False, False),
        (1e30, None, True, True),
        (math.inf, None, False, False),
        (math.nan, 1.0, False, False),
    ],
)
def test_losses_are_judged_by_chance(loss, chance, step, epoch):
    guard = Guard(STEEP, chance)
    looks = (
        (guard.look_at_step, step),
        (partial(guard.look_at_epoch, 1), epoch),
        (partial(guard.look_at_epoch, 0), step),
    )
    for look, passes in looks:
        with nullcontext() if passes else pytest.raises(Diverged):
            look(1, loss)
    unguarded = Guard(dataclasses.replace(STEEP, backoff=None), chance)
    with nullcontext() if math.isfinite(loss) else pytest.raises(ResiduaError, match="no longer finite"):
        unguarded.look_at_step(1, loss)


SCORES = (0.1, 0.5, 0.4, 0.5, 0.3, 0.9, 0.9, 0.9)  # the second epoch is not beaten for three
PATIENT = Recipe(epochs=8, lr=0.01, schedule="constant", patience=3)


def test_it_stops_when_patience_ends_with_the_weights_that_did_best(tmp_path):
    trained = make_loop(tmp_path, PATIENT, scores=SCORES)
    state = trained.run()
    assert (state.epochs_closed, state.best_epoch) == (5, 1)
    assert trained.stopped == {"by": "patience", "step": 25, "why": "3 epochs without a better score"}
    assert int(trained.task.networks["model"].steps) == 2 * STEPS


def test_at_the_end_of_all_epochs_too_the_best_weights_are_kept(tmp_path):
    trained = make_loop(tmp_path, dataclasses.replace(PATIENT, patience=7), scores=(0.1, 0.7, *[0.2] * 6))
    state = trained.run()
    assert (state.epochs_closed, trained.stopped) == (8, None)
    assert int(trained.task.networks["model"].steps) == 2 * STEPS


@pytest.mark.parametrize("moment", [0, 6, 11, 19, 24])
def test_a_kill_before_an_early_stop_changes_nothing(tmp_path, monkeypatch, moment):
    make_loop(tmp_path / "whole", PATIENT, scores=SCORES).run()
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(Killed):
        make_loop(tmp_path / "cut", PATIENT, kill_at=moment, scores=SCORES).run()
    for _ in range(2):  # the second time, all is done
        make_loop(tmp_path / "cut", PATIENT, scores=SCORES, go_on=True).run()
        assert everything(tmp_path / "cut") == everything(tmp_path / "whole")


@pytest.mark.parametrize("changes", [{"backoff": 1.0}, {"backoff": 0.0}, {"backoff": "no"}, {"patience": 0}])
def test_what_makes_no_sense_is_refused(changes):
    with pytest.raises(UsageError, match=next(iter(changes))):
        Recipe(**changes)


def test_a_run_says_how_it_went_and_an_extension_waits_anew(tmp_path):
    changes = {"epochs": 4, "patience": 1, "backoff": 0.5, "lr": 1e-9, "batch_size": 32}
    run = fit(run_dir=tmp_path / "run", limit_batches=2, progress=False, threads=1, recipe_changes=changes)
    told = run.result
    assert (told["stopped"]["by"], told["epochs"], told["best_epoch"]) == ("patience", 2, 0)
    assert told["backoffs"] == 0
    assert told["val_accuracy"] == told["best_val_accuracy"]  # figures are of the weights that are kept
    assert not (run.path / GOOD).exists()
    longer = resume(run, epochs=6, progress=False)
    assert RunFolder(longer.path).result["epochs"] == 3
