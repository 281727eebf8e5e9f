"""A loss that is NaN, a batch of one, fewer images than a batch: one clear line, or a training that works."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from residua.errors import ResiduaError, UsageError
from residua.runs.checkpoint import State
from residua.spec import Metric, Recipe
from residua.train import fit, loop, resume
from residua.train.loop import Loop
from residua.train.progress import Progress
from residua.train.supervised import make_optimizer, means
from residua.weights.model_files import read_tensors

FAST = {"progress": False, "threads": 1, "limit_batches": 2}


class Slope:
    """A line that learns ``steps`` steps well; then ``breaks`` happens to it."""

    primary = Metric("loss", "min")
    metrics = staticmethod(means)

    def __init__(self, recipe, breaks):
        torch.manual_seed(0)
        network = nn.Linear(4, 1)
        self.networks, self.optimizers = {"model": network}, {"model": make_optimizer(network, recipe)}
        self.breaks, self.steps = breaks, 0

    def step(self, batch, progress):
        self.steps += 1
        network = self.networks["model"]
        loss = network(batch).square().mean().detach()
        self.breaks(self.steps, network)
        return {"loss": loss * len(batch), "count": torch.tensor(len(batch))}


class Batches:
    steps_per_epoch = 20

    def __init__(self, broken_at=None):
        self.broken_at = broken_at

    def epoch(self, epoch, start=0):
        for index in range(start, self.steps_per_epoch):
            images = torch.ones(3, 4)
            if index == self.broken_at:
                images[1, 2] = torch.nan
            yield images, torch.zeros(3)


def broken(folder, breaks=lambda step, network: None, broken_at=None, **changes):
    """What the training of a line that breaks says, and the step that its checkpoint holds."""
    (folder / "checkpoints").mkdir()
    recipe = Recipe(epochs=1, **changes)
    task, batches = Slope(recipe, breaks), Batches(broken_at)
    task.step = lambda batch, progress, step=task.step: step(batch[0], progress)
    trained = Loop(
        task,
        batches,
        None,
        recipe=recipe,
        seed=0,
        folder=folder,
        about={},
        state=State(),
        progress=Progress(),
    )
    with pytest.raises(ResiduaError) as found:
        trained.run()
    assert "\n" not in str(found.value)
    last = folder / "checkpoints" / "last.safetensors"
    assert str(last) in str(found.value)
    tensors, about = read_tensors(last)
    assert all(bool(tensor.isfinite().all()) for tensor in tensors.values())
    return str(found.value), about["state"]["step"]


@pytest.fixture
def saving_always(monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "_CHECKPOINT_SHARE", 1e9)


def grow(step, network):
    with torch.no_grad():
        network.weight.mul_(1e5)


def test_a_loss_that_grew_is_the_rates_fault(tmp_path, saving_always):
    said, held = broken(tmp_path, grow, lr=0.5)
    assert "no longer finite at step 5: it went from" in said
    assert "a learning rate of 0.5: try a smaller --lr" in said
    assert f"holds step {held}, before that" in said
    assert held == 4


def test_a_batch_that_is_not_finite_is_the_datas_fault(tmp_path, saving_always):
    said, held = broken(tmp_path, broken_at=7)
    assert "at step 8: the batch itself holds numbers that are not finite: look at the data" in said
    assert held == 7


def test_weights_that_are_not_finite_get_into_no_checkpoint(tmp_path, saving_always):
    def break_at_six(step, network):
        if step == 6:
            nn.init.constant_(network.weight, torch.inf)

    said, held = broken(tmp_path, break_at_six)
    assert "the weights are no longer finite after step 6" in said
    assert held == 5


def test_a_training_says_its_checkpoint_which_goes_on_to_the_same_end(tmp_path):
    with pytest.raises(
        ResiduaError, match=r"finite at step \d.*learning rate of 1e\+30.*holds step 0"
    ) as found:
        fit("cifar_resnet8", run_dir=tmp_path / "run", recipe_changes={"epochs": 2, "lr": 1e30}, **FAST)
    with pytest.raises(ResiduaError) as again:
        resume(tmp_path / "run", progress=False)
    assert str(again.value) == str(found.value)


@pytest.mark.parametrize("memory", ["full", "low"])
def test_a_batch_of_one_trains_where_maps_have_several_pixels(tmp_path, memory):
    changes = {"batch_size": 1, "epochs": 1}
    run = fit("cifar_resnet8", run_dir=tmp_path / "run", recipe_changes=changes, memory=memory, **FAST)
    assert run.result["train_loss"] > 0


@pytest.mark.parametrize(("batch", "parts"), [(1, 1), (4, 4), (7, 4)])
def test_single_numbers_have_no_batch_statistics(tmp_path, batch, parts):
    changes = {"batch_size": batch, "accumulate": parts, "epochs": 1}
    with pytest.raises(
        UsageError, match=r"batch norm cannot train residual_mlp_tiny on one sample.*--batch-size"
    ) as e:
        fit("residual_mlp_tiny", run_dir=tmp_path / "run", recipe_changes=changes, **FAST)
    assert "\n" not in str(e.value)
    assert not list(tmp_path.iterdir())
    if parts == 1:
        return
    run = fit(
        "residual_mlp_tiny", run_dir=tmp_path / "run", recipe_changes=changes | {"batch_size": 8}, **FAST
    )
    assert run.result["train_loss"] > 0


@pytest.mark.parametrize("parts", [1, 3])
def test_fewer_images_than_a_batch_are_one_batch(tmp_path, parts):
    random = np.random.default_rng(0)
    for number in range(14):
        folder = tmp_path / "photos" / ("cat", "dog")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (16, 16, 3), np.uint8)).save(folder / f"{number}.png")
    changes = {"batch_size": 128, "accumulate": parts, "epochs": 2, "lr": 0.01}
    run = fit(
        "cifar_resnet8",
        tmp_path / "photos",
        "quick",
        run_dir=tmp_path / "run",
        recipe_changes=changes,
        **FAST,
    )
    assert run.result["steps"] == 2
    assert run.result["train_images"] < 14
