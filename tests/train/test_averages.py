"""Weight averaging: the arithmetic against plain references, and that an interrupted run ends with the same bits."""

import os
import signal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from residua.errors import ResiduaError, UsageError
from residua.evaluation import evaluate
from residua.loading import load_model
from residua.spec import Recipe
from residua.train import Callback, fit, resume
from residua.train.averages import Averages
from residua.train.interruption import Interrupted
from residua.train.supervised import Supervised, make_optimizer
from residua.weights.model_files import read_tensors

KINDS = ("ema(decay=0.9)", "lookahead(steps=3, alpha=0.3, ramp=2)", "swa(start=0.4, norm_batches=3)")


def averaging(kind):
    return Recipe(averaging=kind).averaging


class Task:
    """One network and its optimiser; weights are moved by hand."""

    def __init__(self):
        torch.manual_seed(0)
        self.networks = {"model": nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), "judge": nn.Linear(2, 2)}
        self.optimizers = {"model": make_optimizer(self.networks["model"], Recipe())}


class Batches:
    steps_per_epoch = 4


def walk(kind, steps, total):
    """Weights after every step, given to the averages: what they were, what the network has afterwards, the means."""
    task = Task()
    averages = Averages(task, averaging(kind), Batches(), total_steps=total, seed=0)
    weight, torch_random = task.networks["model"][0].weight, torch.Generator().manual_seed(1)
    seen, kept, means = [weight.detach().double().numpy().copy()], [], []
    for step in range(1, steps + 1):
        with torch.no_grad():
            weight += torch.randn(weight.shape, generator=torch_random)
        seen.append(weight.detach().double().numpy().copy())
        averages.update(step)
        kept.append(weight.detach().double().numpy().copy())
        means.append(averages.tensors["model.0.weight"].double().numpy().copy())
    return seen, kept, means, averages


def test_ema_is_the_recurrence():
    seen, kept, means, _ = walk("ema(decay=0.8)", 30, 30)
    mean = seen[0]
    for step in range(1, 31):
        decay = min(0.8, (1 + step) / (10 + step))
        mean = decay * mean + (1 - decay) * seen[step]
        np.testing.assert_allclose(means[step - 1], mean, atol=1e-5)
        np.testing.assert_array_equal(kept[step - 1], seen[step])  # the training goes on as without


def test_swa_is_the_mean_of_the_ends_of_epochs():
    seen, _, means, _ = walk("swa(start=0.5)", 18, 18)  # epochs of 4 steps; the last has 2
    ends = [seen[step] for step in (12, 16, 18)]
    np.testing.assert_allclose(means[11], ends[0], atol=1e-6)
    np.testing.assert_allclose(means[-1], np.mean(ends, axis=0), atol=1e-6)


def test_lookahead_goes_on_from_the_slow_weights():
    seen, kept, means, _ = walk("lookahead(steps=3, alpha=0.25)", 9, 9)
    slow = seen[0]
    for step in range(1, 10):
        if step % 3:
            np.testing.assert_array_equal(kept[step - 1], seen[step])
            continue
        slow = slow + 0.25 * (seen[step] - slow)
        np.testing.assert_allclose(means[step - 1], slow, atol=1e-5)
        np.testing.assert_array_equal(kept[step - 1], means[step - 1])


def test_a_ramp_ends_at_alpha_as_jordans():
    ahead = averaging("lookahead(steps=5, alpha=0.226, ramp=3)")
    for step in range(5, 101, 5):
        assert 1 - ahead.share(step, 100, 10) == pytest.approx(0.774 * (step / 100) ** 3)
    assert ahead.share(7, 100, 10) == 0


@given(
    kind=st.sampled_from(KINDS),
    total=st.integers(1, 500),
    epoch=st.integers(1, 100),
    step=st.integers(1, 500),
)
def test_shares_are_shares_and_a_mean_begins_within_the_training(kind, total, epoch, step):
    one = averaging(kind)
    assert 0 <= one.share(min(step, total), total, epoch) <= 1
    assert 0 <= one.first(total, epoch) <= total
    if one.kind == "swa":
        assert one.share(one.first(total, epoch), total, epoch) == 1


def test_what_is_lent_is_given_back_to_the_bit_also_after_an_error():
    _, _, means, averages = walk("ema(decay=0.5)", 4, 4)
    network = averages._task.networks["model"]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(ValueError, match="stop"), averages.lent(4):
        np.testing.assert_array_equal(network[0].weight.detach().double().numpy(), means[-1])
        network[1].num_batches_tracked += 5
        raise ValueError("stop")
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not any(name.startswith("judge") for name in averages.tensors)  # no optimiser trains it


def test_without_an_averaging_nothing_happens():
    averages = Averages(Task(), None, Batches(), total_steps=4, seed=0)
    averages.update(1)
    averages.put(4)
    assert averages.tensors == {}


def train(path, kind, **options):
    return fit(
        "cifar_resnet8",
        recipe="quick",
        run_dir=path,
        threads=1,
        precision="float32",
        progress=False,
        limit_batches=4,
        track="none",
        recipe_changes={"epochs": 3, "averaging": kind, **options.pop("recipe_changes", {})},
        **options,
    )


def outcome(path):
    return [(path / name).read_bytes() for name in ("model.safetensors", "metrics.jsonl")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return {kind: train(folder / str(place), kind) for place, kind in enumerate(KINDS)}


class StopAt(Callback):
    def __init__(self, step):
        self.step = step

    def on_step(self, moment):
        if moment.step == self.step:
            raise RuntimeError("enough")


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_stopped_anywhere_ends_with_the_same_bits(tmp_path, whole, kind):
    for step in (3, 11):  # before and after swa has begun
        path = tmp_path / str(step)
        with pytest.raises(ResiduaError, match="enough"):
            train(path, kind, callbacks=[StopAt(step)])
        resume(path, progress=False)
        assert outcome(path) == outcome(whole[kind].path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_signal_while_means_are_measured_leaves_the_weights_of_the_training(
    tmp_path, whole, kind, monkeypatch
):
    measured, asked = Supervised.evaluate, []

    def evaluating(task, batch):
        asked.append(1)
        if len(asked) == 2:  # in the second epoch's validation
            os.kill(os.getpid(), signal.SIGTERM)
        return measured(task, batch)

    monkeypatch.setattr(Supervised, "evaluate", evaluating)
    with pytest.raises(Interrupted):
        train(tmp_path / "run", kind)
    resume(tmp_path / "run", progress=False)
    assert outcome(tmp_path / "run") == outcome(whole[kind].path)


def test_what_is_measured_and_kept_is_the_mean(tmp_path, whole):
    class Mean(Callback):
        mean = None

        def on_step(self, moment):
            values = {name: value.detach().clone() for name, value in moment.network.named_parameters()}
            share = 1 - min(0.9, (1 + moment.step) / (10 + moment.step))
            old = self.mean or values
            self.mean = {name: old[name].lerp(value, share) for name, value in values.items()}

    mine = Mean()
    run = train(tmp_path / "run", KINDS[0], callbacks=[mine], recipe_changes={"lr": 0.01})
    kept = dict(load_model(run.path).named_parameters())
    assert run.result["averaging"] == {"kind": "ema", "decay": 0.9}
    for (
        name,
        value,
    ) in kept.items():  # the first mean is of the first weights, so 0.9 of these were the random ones
        assert torch.allclose(value, mine.mean[name], atol=0.02)
    assert evaluate(run.path, limit=4).top1 == pytest.approx(run.result["test_accuracy"])
    assert (
        "averaging"
        not in fit(
            run_dir=tmp_path / "plain",
            limit_batches=1,
            progress=False,
            track="none",
            recipe_changes={"epochs": 1},
        ).result
    )


def test_swa_counts_batch_statistics_anew(whole):
    run = whole[KINDS[2]]
    final, _ = read_tensors(run.path / "model.safetensors")
    last, _ = read_tensors(run.last)
    counted = next(name for name in final if name.endswith("running_mean"))
    assert not torch.equal(final[counted], last[f"averages.model.{counted}"])
    tracked = [int(value) for name, value in final.items() if name.endswith("num_batches_tracked")]
    assert set(tracked) == {3}


def test_a_finished_run_goes_on(tmp_path):
    run = train(tmp_path / "run", KINDS[2], recipe_changes={"patience": 5})
    longer = resume(run, epochs=5, progress=False)
    assert longer.result["epochs"] == 5
    assert np.isfinite(longer.result["test_loss"])


def test_what_has_no_batch_norms_to_count_is_refused(tmp_path):
    with pytest.raises(UsageError, match="averaging 'swa' has batch norms count anew, which gan cannot"):
        fit("sngan_digits", run_dir=tmp_path / "run", recipe_changes={"averaging": "swa"}, progress=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("ema(decay=1)", r"decay must be in \[0, 1\)"),
        ("lookahead(steps=0)", "steps must be above 0"),
        ("lookahead(alpha=0)", "alpha must be above 0"),
        ("lookahead(ramp=-1)", "ramp cannot be negative"),
        ("swa(start=1)", "start must be in"),
        ("swa(norm_batches=0)", "norm_batches must be above 0"),
        ("emma", "did you mean 'ema'"),
    ],
)
def test_wrong_options_are_refused(kind, says):
    with pytest.raises(UsageError, match=says):
        Recipe(averaging=kind)
