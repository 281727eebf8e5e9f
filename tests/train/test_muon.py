import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from residua.errors import UsageError
from residua.runs.optimizer_state import load_state_tensors, state_tensors
from residua.spec import Recipe
from residua.train.orthogonal import orthogonalized
from residua.train.supervised import make_optimizer, take_step


def network():
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 40, 1), nn.Flatten(), nn.LazyLinear(2)
    model = nn.Sequential(*layers)
    model(torch.zeros(2, 3, 5, 5))
    return model.to(memory_format=torch.channels_last)


def recipe(**options):
    return Recipe(**{"optimizer": "muon(momentum=0.9)", "lr": 0.1, "weight_decay": 0.02, **options})


def train(model, optimizer, steps, how, first=0):
    for step in range(first, first + steps):
        x = torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(step))
        model(x).square().sum().backward()
        take_step(optimizer, how)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 9))
def test_singular_values_are_about_one_and_vectors_are_kept(rows, columns, seed):
    matrix = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    found = orthogonalized(matrix, 8)
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    mine = u.T @ found @ v.T
    clear = s > 0.05 * s.max()  # what is nearly zero needs more iterations
    values = mine.diagonal()[clear]
    assert values.min() > 0.6
    assert values.max() < 1.3
    assert (mine - mine.diagonal().diag()).abs().max() < 1e-2


def test_convolutions_step_as_torchs_own_muon_and_the_rest_as_sgd():
    model, how = network(), recipe()
    optimizer = make_optimizer(model, how)
    convolutions = [model[0].weight, model[2].weight]
    flat = [nn.Parameter(p.detach().clone().flatten(1)) for p in convolutions]
    theirs = torch.optim.Muon(flat, lr=0.1, momentum=0.9, weight_decay=0.02)
    others = {name: p.detach().clone().requires_grad_() for name, p in model.named_parameters() if p.ndim < 3}
    sgd = torch.optim.SGD(others.values(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.02)
    for step in range(3):
        torch.manual_seed(step)
        for name, parameter in model.named_parameters():
            parameter.grad = torch.randn_like(parameter)  # in the layout of the parameter, as autograd's are
            if name in others:
                others[name].grad = parameter.grad.clone()
        for mine, other in zip(convolutions, flat, strict=True):
            other.grad = mine.grad.flatten(1).clone()
        optimizer.step()
        theirs.step()
        sgd.step()
    named = dict(model.named_parameters())
    for name, other in others.items():
        torch.testing.assert_close(named[name].detach(), other.detach())
    for mine, other in zip(convolutions, flat, strict=True):  # torch computes in bfloat16
        moved = (mine.detach().flatten(1) - other.detach()).norm() / other.detach().norm()
        assert moved < 0.01


def test_state_goes_on_where_it_was_and_is_the_same_in_any_layout():
    how = recipe()
    whole, cut = network(), network()
    train(whole, make_optimizer(whole, how), 4, how)
    first = make_optimizer(cut, how)
    train(cut, first, 2, how)
    second = make_optimizer(cut, how)
    load_state_tensors(second, state_tensors(first))
    train(cut, second, 2, how, first=2)
    for a, b in zip(whole.parameters(), cut.parameters(), strict=True):
        assert torch.equal(a, b)
    assert cut[0].weight.is_contiguous(memory_format=torch.channels_last)


def test_it_learns():
    model, how = network(), recipe(lr=0.02)
    optimizer = make_optimizer(model, how)
    losses = []
    for step in range(30):
        x = torch.randn(32, 3, 5, 5, generator=torch.Generator().manual_seed(step % 3))
        loss = nn.functional.cross_entropy(model(x), (x.mean((1, 2, 3)) > 0).long())
        loss.backward()
        take_step(optimizer, how)
        losses.append(float(loss.detach()))
    assert np.mean(losses[-3:]) < 0.5 * np.mean(losses[:3])


def test_rates_of_the_rest_are_a_share():
    optimizer = make_optimizer(network(), recipe(optimizer="muon(other_lr=0.5)", bias_lr=4.0))
    rates = {len(group["params"]): group["initial_lr"] for group in optimizer.param_groups}
    assert sorted(group["initial_lr"] for group in optimizer.param_groups) == pytest.approx([0.05, 0.1, 0.2])
    assert sum(rates) > 0


def test_a_network_without_convolutions_is_refused():
    with pytest.raises(UsageError, match="optimizer 'muon' is for convolutions"):
        make_optimizer(nn.Linear(2, 2), recipe())


@pytest.mark.parametrize(
    "options", ["momentum=1", "iterations=0", "other_lr=0", "other_momentum=-1", "nesterov=1"]
)
def test_wrong_options_are_refused(options):
    with pytest.raises(UsageError):
        Recipe(optimizer=f"muon({options})")


def test_biases_have_a_rate_of_their_own_and_the_same_decay():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    names = {id(p): name for name, p in model.named_parameters()}
    groups = make_optimizer(model, Recipe(lr=0.1, weight_decay=0.2, bias_lr=8.0)).param_groups
    found = {names[id(p)]: (g["initial_lr"], g["weight_decay"]) for g in groups for p in g["params"]}
    assert found == {
        "0.weight": pytest.approx((0.1, 0.2)),
        "1.weight": pytest.approx((0.1, 0.2)),
        "0.bias": pytest.approx((0.8, 0.025)),
        "1.bias": pytest.approx((0.8, 0.025)),
    }
    assert len(make_optimizer(model, Recipe()).param_groups) == 1  # as without the field: old checkpoints fit
