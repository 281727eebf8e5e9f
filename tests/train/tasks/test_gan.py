"""The adversarial task: its losses, its judge, its metric, its samples, and that it resumes bit for bit."""

import os
import signal

import numpy as np
import pytest
import torch
from PIL import Image

from residua.data import load_data
from residua.data.arrays import array_data
from residua.errors import UsageError
from residua.registry import build, model_spec
from residua.spec import DataSpec
from residua.train import Request, fit, judge, make_plan, recipe, resume
from residua.train.interruption import Interrupted
from residua.train.progress import Progress
from residua.train.task import IllustratedTask
from residua.train.tasks.gan import Adversarial
from residua.weights.model_files import read_tensors

STEPS = 12  # of the judge: enough to run, not to judge well


@pytest.fixture(autouse=True)
def _short_judge(monkeypatch):
    monkeypatch.setattr(judge, "_RECIPE", judge._RECIPE.change(iterations=STEPS))


@pytest.fixture(scope="module")
def digits():
    return load_data("digits")


def make_task(data, **changes):
    torch.manual_seed(0)
    pair = build(model_spec("sngan_tiny", **changes))
    plan = make_plan(Request(threads=1, precision="float32"), pair, 1, 1)
    return Adversarial(pair, recipe("gan"), plan, data)


def batch_of(data, size=32):
    return next(iter(data.train_batches(recipe("gan", batch_size=size), seed=0).epoch(0)))


def copy_of(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def test_a_step_trains_both_networks_and_reports_the_hinge_loss(digits):
    task = make_task(digits)
    before = copy_of(task.model)
    sums = task.step(batch_of(digits), 0.0)
    assert int(sums["count"]) == 32
    assert 0 < float(sums["loss"]) / 32 < 10
    changed = {n.split(".")[0] for n, v in task.model.state_dict().items() if not torch.equal(v, before[n])}
    assert changed == {"generator", "discriminator"}
    assert all(p.grad is None for p in task.model.parameters())
    assert isinstance(task, IllustratedTask)


@pytest.mark.parametrize("steps", [1, 3])
def test_the_discriminator_steps_so_often_for_one_step_of_the_generator(digits, steps):
    task = make_task(digits, critic_steps=steps)
    task.step(batch_of(digits), 0.0)
    counts = {
        name: {int(state["step"]) for state in optimizer.state.values()}
        for name, optimizer in task.optimizers.items()
    }
    assert counts == {"generator": {1}, "discriminator": {steps}}


def test_losses_are_those_of_the_paper(digits):
    task = make_task(digits)
    task.model.eval()
    real, latents = torch.rand(5, 1, 8, 8), torch.randn(5, 8)
    d, made = task.model.discriminator, task.model.generator(latents)
    expected = torch.relu(1 - d(real)).mean() + torch.relu(1 + d(made)).mean()
    torch.testing.assert_close(task._eager_critic_loss(real, latents), expected)
    torch.testing.assert_close(task._eager_generator_loss(latents), -d(made).mean())


def test_real_images_reach_the_discriminator_in_the_range_of_tanh(digits):
    task, seen = make_task(digits), []
    task.model.discriminator.register_forward_pre_hook(lambda module, args: seen.append(args[0].detach()))
    task.step(batch_of(digits), 0.0)
    real = seen[0][: len(seen[0]) // 2]
    assert real.min() == pytest.approx(-1, abs=1e-5)
    assert real.max() == pytest.approx(1, abs=1e-5)


def test_the_judge_is_the_same_whatever_was_drawn_before_and_leaves_the_generator_alone(digits):
    judges = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        task = make_task(digits)
        state = torch.get_rng_state()
        task.judge.train_once(digits, task.plan)
        assert torch.equal(torch.get_rng_state(), state)
        judges.append(copy_of(task.judge))
        task.judge.train_once(digits, task.plan)  # the second time nothing happens
        assert all(torch.equal(v, judges[-1][n]) for n, v in task.judge.state_dict().items())
    assert all(torch.equal(judges[0][name], judges[1][name]) for name in judges[0])


def test_an_evaluation_is_repeatable_whatever_was_drawn_before(digits):
    task = make_task(digits)
    figures = []
    for _ in range(2):
        torch.rand(7)
        sums = [task.evaluate(b) for b in digits.eval_batches("val", 64)]
        total = {name: sum(s[name] for s in sums) for name in sums[0]}
        figures.append(task.metrics(total))
    assert figures[0] == figures[1]
    assert set(figures[0]) == {"frechet_distance", "judge_accuracy"}


def test_real_images_are_nearer_than_an_untrained_generators(digits, monkeypatch):
    task = make_task(digits)
    task.judge.train_once(digits, task.plan)
    test = list(digits.eval_batches("test", 256))

    def distance():
        sums = [task.evaluate(b) for b in test]
        return task.metrics({name: sum(s[name] for s in sums) for name in sums[0]})["frechet_distance"]

    untrained = distance()
    pixels, _ = digits.train.read(np.arange(360))
    real = pixels.float() / 127.5 - 1
    monkeypatch.setattr(task, "_made", lambda positions: real[positions])
    assert distance() < untrained / 10


def test_data_that_it_cannot_make_are_refused_in_one_line(digits):
    with pytest.raises(
        UsageError, match="sngan_cifar makes images of 1x32x32, the samples of digits are 1x8x8"
    ):
        fit("sngan_cifar", digits, progress=False)


def test_blended_classes_are_refused_for_it_has_none(digits, tmp_path):
    with pytest.raises(UsageError, match="mixup blends classes, which gan has not"):
        fit(
            "sngan_tiny",
            digits,
            run_dir=tmp_path / "run",
            progress=False,
            recipe_changes={"augmentation": "mixup"},
        )
    assert not (tmp_path / "run").exists()


class StopAt(Progress):
    """Ask for the end at one step, as a signal does."""

    def __init__(self, step):
        self.at = step

    def step(self, step):
        if step == self.at:
            os.kill(os.getpid(), signal.SIGTERM)


def short(path, progress=False):
    return fit(
        "sngan_tiny",
        run_dir=path,
        progress=progress,
        threads=1,
        limit_batches=2,
        model_changes={"drop_path": 0.2},
        recipe_changes={"epochs": 2, "batch_size": 64},
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge, "_RECIPE", judge._RECIPE.change(iterations=STEPS))
        return short(tmp_path_factory.mktemp("gan") / "whole")


@pytest.mark.parametrize("stop_at", [1, 2])  # inside an epoch, and before it is validated
def test_an_interrupted_run_ends_bit_for_bit_as_if_it_had_not_been(tmp_path, whole, stop_at):
    with pytest.raises(Interrupted):
        short(tmp_path / "cut", StopAt(stop_at))
    cut = resume(tmp_path / "cut", progress=False)
    for name in ("metrics.jsonl", "model.safetensors", "samples.png"):
        assert (whole.path / name).read_bytes() == (cut.path / name).read_bytes(), name
    (a, _), (b, _) = read_tensors(whole.last), read_tensors(cut.last)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert {name.split(".")[1] for name in a if name.startswith("networks.")} == {"model", "judge"}


def test_a_run_leaves_samples_and_its_distance(whole):
    run = whole
    assert run.result["primary"] == "frechet_distance"
    assert run.result["test_frechet_distance"] > 0
    assert run.result["best_val_frechet_distance"] is not None
    picture = Image.open(run.path / "samples.png")
    assert picture.size == (4 * (8 * 9 - 1),) * 2
    assert len(np.unique(np.asarray(picture))) > 20


def test_colour_images_of_32_px_train_too(tmp_path):
    """The layout of CIFAR, with the paper's pair made narrow."""
    random = np.random.default_rng(0)
    images = torch.from_numpy(random.integers(0, 256, (60, 3, 32, 32), dtype=np.uint8))
    labels = np.arange(60) % 3
    data = array_data(
        DataSpec(),
        classes=("a", "b", "c"),
        images=images.contiguous(memory_format=torch.channels_last),
        labels=labels,
        train=np.arange(48),
        test=np.arange(48, 60),
        test_is="the last",
        flip=True,
    )
    run = fit(
        "sngan_cifar",
        data,
        run_dir=tmp_path / "run",
        progress=False,
        threads=1,
        model_changes={"generator": [16, 16, 16, 16], "discriminator": [16, 16, 16, 16]},
        recipe_changes={"epochs": 1, "batch_size": 20},
    )
    assert run.result["steps"] == 2
    assert Image.open(run.path / "samples.png").size == (8 * 33 - 1,) * 2


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_default_training_comes_far_below_an_untrained_generator(tmp_path, monkeypatch):
    monkeypatch.undo()
    run = fit("sngan_digits", run_dir=tmp_path / "run", progress=False)
    assert run.result["test_judge_accuracy"] > 0.95
    assert run.result["test_frechet_distance"] < 6  # an untrained generator: 58; other real images: 0.4
