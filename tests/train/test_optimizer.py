import pytest
import torch
from torch import nn

from residua.errors import UsageError
from residua.runs.optimizer_state import load_state_tensors, state_tensors
from residua.spec import Recipe
from residua.train.supervised import make_optimizer, take_step


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3))


def decays(recipe):
    model = network()
    names = {id(p): name for name, p in model.named_parameters()}
    groups = make_optimizer(model, recipe).param_groups
    return {names[id(p)]: group["weight_decay"] for group in groups for p in group["params"]}


@pytest.mark.parametrize(
    ("changes", "everything"),
    [
        ({}, True),  # He et al. decay every parameter
        ({"decay_norm": False}, False),
        ({"optimizer": "adamw"}, False),
        ({"optimizer": "adamw", "decay_norm": True}, True),
    ],
)
def test_what_decays(changes, everything):
    found = decays(Recipe(weight_decay=0.1, **changes))
    assert found == {
        "0.weight": 0.1,
        **dict.fromkeys(("0.bias", "1.weight", "1.bias"), 0.1 if everything else 0.0),
    }


def test_adamw_is_the_equation():
    model, x = network(), torch.ones(2, 4)
    before = model[0].weight.detach().clone()
    recipe = Recipe(optimizer="adamw(0.8, 0.9)", lr=0.1, weight_decay=0.5)
    optimizer = make_optimizer(model, recipe)
    model(x).square().sum().backward()
    gradient = model[0].weight.grad.clone()
    take_step(optimizer, recipe)
    after = before * (1 - 0.1 * 0.5) - 0.1 * gradient / (
        gradient.abs() + 1e-8
    )  # the first step's moments cancel
    assert torch.allclose(model[0].weight, after, atol=1e-6)
    assert model[0].weight.grad is None


def test_clipping_shortens_all_gradients_together():
    moved = {}
    for clip in (None, 0.1, 1e9):
        model = network()
        start = [p.detach().clone() for p in model.parameters()]
        recipe = Recipe(lr=1.0, optimizer="sgd(momentum=0)", weight_decay=0.0, clip_norm=clip)
        optimizer = make_optimizer(model, recipe)
        (10 * model(torch.randn(2, 4)).square().sum()).backward()
        take_step(optimizer, recipe)
        moved[clip] = torch.cat(
            [(a - b).flatten() for a, b in zip(start, model.parameters(), strict=True)]
        ).detach()
    assert moved[0.1].norm() == pytest.approx(0.1, rel=1e-3)
    assert torch.nn.functional.cosine_similarity(moved[0.1], moved[None], dim=0) == pytest.approx(1)
    assert torch.equal(moved[1e9], moved[None])


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_state_goes_on_where_it_was(name):
    recipe = Recipe(optimizer=name, lr=0.1)

    def train(model, optimizer, steps):
        for _ in range(steps):
            model(torch.ones(2, 4)).square().sum().backward()
            take_step(optimizer, recipe)

    whole, cut = network(), network()
    train(whole, make_optimizer(whole, recipe), 4)
    first = make_optimizer(cut, recipe)
    train(cut, first, 2)
    second = make_optimizer(cut, recipe)
    load_state_tensors(second, state_tensors(first))
    train(cut, second, 2)
    for a, b in zip(whole.parameters(), cut.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_unit_skipped_at_first_starts_later():
    model = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    recipe = Recipe(optimizer="adamw")
    optimizer = make_optimizer(model, recipe)
    for used in ([0], [0, 1]):
        sum(model[i](torch.ones(1, 2)).sum() for i in used).backward()
        take_step(optimizer, recipe)
    assert state_tensors(optimizer)["0.step"] == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adamw(nesterov=true)"},
        {"optimizer": "adamw", "nesterov": True},
        {"optimizer": "adamw", "beta2": 1.0},
        {"optimizer": "adamw(beta1=1)"},
        {"optimizer": "sgd(beta2=0.9)"},
        {"momentum": 1.5},
        {"nesterov": True, "momentum": 0.0},
        {"task": "classification(label_smoothing=1)"},
        {"task": "classify"},
        {"clip_norm": 0.0},
        {"optimizer": "adam"},
    ],
)
def test_what_cannot_be_is_refused(changes):
    with pytest.raises(UsageError):
        Recipe().change(**changes)
