"""A batch in parts: the gradients of one batch."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from residua.data.annotated import Scenes
from residua.errors import UsageError
from residua.registry import build, model_spec
from residua.spec import Metric, Recipe
from residua.train import Request, fit, make_plan
from residua.train.accumulate import parts_of
from residua.train.judge import Judge
from residua.train.supervised import Supervised

PLAIN = {"optimizer": "sgd(momentum=0)", "weight_decay": 0.0, "lr": 1.0}


@pytest.fixture
def stepped():
    """A network after a step on a batch in so many parts, and the sums of the step."""

    def step(network, batch, parts, loss, **changes):
        network = copy.deepcopy(network)
        recipe = Recipe(accumulate=parts, **PLAIN)
        plan = make_plan(Request(device="cpu", compile="off", precision="float32", **changes), network, 0, 0)
        task = Supervised(
            network,
            recipe,
            plan,
            primary=Metric("loss", "min"),
            loss=lambda b: loss(network, b),
            evaluate=dict,
        )
        return network, task.step(batch, 0.0)

    return step


def cross_entropy(network, batch):
    logits = network(batch[0])
    loss = F.cross_entropy(logits, batch[1], reduction="sum", ignore_index=-100)
    count = (batch[1] != -100).sum()
    return loss / count.clamp(min=1), {"loss": loss.detach(), "count": count}


@pytest.mark.parametrize("memory", ["full", "low"])
@pytest.mark.parametrize("parts", [2, 3, 7, 50])
@pytest.mark.parametrize("hidden", [0, 4], ids=["all count", "some do not"])
def test_gradients_are_those_of_the_undivided_batch(stepped, parts, hidden, memory):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    labels = torch.randint(3, (7,))
    labels[:hidden] = -100  # of some parts none counts
    batch = torch.randn(7, 6).double(), labels
    whole, sums = stepped(network, batch, 1, cross_entropy)
    divided, in_parts = stepped(network, batch, parts, cross_entropy, memory=memory)
    for one, other in zip(whole.parameters(), divided.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-14)
    assert float(in_parts["loss"]) == pytest.approx(float(sums["loss"]), rel=1e-12)
    assert int(in_parts["count"]) == int(sums["count"]) == 7 - hidden


@pytest.mark.parametrize("weights", [(1.0, 0.01, 0.02), (5.0, 0.5, 0.1)])
def test_parts_count_by_the_weights_of_their_classes(stepped, weights):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    batch = torch.randn(7, 6).double(), torch.tensor([0, 0, 0, 1, 1, 2, 2])  # other classes in each part
    weights = torch.tensor(weights).double()

    def loss(network, batch):
        mean = F.cross_entropy(network(batch[0]), batch[1], weights)
        count = torch.tensor(len(batch[1]))
        return mean, {"loss": mean.detach() * count, "count": count, "weight": weights[batch[1]].sum()}

    whole, sums = stepped(network, batch, 1, loss)
    divided, in_parts = stepped(network, batch, 3, loss)
    for one, other in zip(whole.parameters(), divided.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-14)
    assert float(in_parts["loss"]) == pytest.approx(float(sums["loss"]), rel=1e-12)
    assert sums.keys() == in_parts.keys() == {"loss", "count"}


@pytest.mark.parametrize("parts", [2, 3])
def test_batch_statistics_move_once_by_the_mean_of_the_parts(stepped, parts):
    torch.manual_seed(0)
    network = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 3)).double()
    network[0].running_mean.fill_(5.0)
    batch = torch.randn(7, 4).double(), torch.randint(3, (7,))
    whole, _ = stepped(network, batch, 1, cross_entropy)
    divided, _ = stepped(network, batch, parts, cross_entropy)
    assert torch.allclose(whole[0].running_mean, divided[0].running_mean, rtol=1e-12)
    variances = [part.var(0) * len(part) / 7 for part in batch[0].tensor_split(parts)]
    assert torch.allclose(divided[0].running_var, 0.9 + 0.1 * sum(variances), rtol=1e-12)
    assert int(divided[0].num_batches_tracked) == 1


def test_statistics_of_norms_in_evaluation_mode_keep_their_bits(stepped):
    network = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 3))
    network[0].running_mean.normal_()
    network[0].train = lambda mode=True: network[0]  # as a part that is held still
    network[0].training = False
    batch = torch.randn(7, 4), torch.randint(3, (7,))
    divided, _ = stepped(network, batch, 3, cross_entropy)
    assert torch.equal(divided[0].running_mean, network[0].running_mean)


def test_parts_are_of_the_batchs_kind_and_as_equal_as_can_be():
    scenes = Scenes(*(torch.arange(7).view(7, *[1] * more) for more in (3, 2, 1, 2)))
    parts = list(parts_of(scenes, 3))
    assert [samples for samples, _ in parts] == [3, 2, 2]
    assert all(isinstance(part, Scenes) for _, part in parts)
    assert torch.equal(torch.cat([part.boxes for _, part in parts]), scenes.boxes)


@pytest.mark.parametrize("parts", [0, -1, 2.5, True])
def test_what_cannot_be_divided_is_refused(parts):
    with pytest.raises(UsageError, match="accumulate"):
        Recipe(batch_size=128, accumulate=parts)


def test_a_gan_accumulates_too(tmp_path, monkeypatch):
    monkeypatch.setattr(Judge, "train_once", lambda *_: None)  # which takes most of the time
    changes = {"accumulate": 3, "batch_size": 8, "epochs": 1}
    run = fit("sngan_tiny", run_dir=tmp_path / "run", limit_batches=1, progress=False, recipe_changes=changes)
    assert run.result["train_images"] > 0
    assert run.recipe.accumulate == 3


def test_a_training_in_parts_learns_and_repeats(tmp_path):
    changes = {"accumulate": 4, "epochs": 3}
    runs = [
        fit(
            "cifar_resnet8",
            run_dir=tmp_path / memory,
            progress=False,
            threads=1,
            memory=memory,
            recipe_changes=changes,
            limit_batches=12,
        )
        for memory in ("full", "low")
    ]
    assert runs[0].weights.read_bytes() == runs[1].weights.read_bytes()
    assert (runs[0].plan.memory, runs[1].plan.memory) == ("full", "low")
    assert runs[0].result["train_loss"] < 1.5


def test_units_stay_compiled_until_the_backward_pass_is_done(monkeypatch):
    """A branch that is computed again must be what it was: torch refuses other tensors than were saved."""
    ways = []

    def compile(forward, **_):
        return lambda x: ways.append("compiled") or forward(x)

    monkeypatch.setattr(torch, "compile", compile)
    network = build(model_spec("cifar_resnet8", drop_path=0.0))
    plan = make_plan(Request(device="cpu", compile="off", memory="low"), network, 0, 0).change(
        compile="units"
    )

    def loss(batch):
        return network(batch).square().mean(), {"loss": torch.tensor(1.0), "count": torch.tensor(len(batch))}

    task = Supervised(network, Recipe(), plan, primary=Metric("loss", "min"), loss=loss, evaluate=dict)
    task.step(torch.randn(2, 3, 32, 32), 0.0)
    assert len(ways) == 2 * 3  # each unit in the forward pass, and again in the backward pass
