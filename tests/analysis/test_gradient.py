import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from residua.analysis.gradient import gradient_norms, gradients_over_training, layer_gradients
from residua.errors import UsageError
from residua.nn import Residual
from residua.registry import build, model_spec


def _case(name="cifar_resnet14", **changes):
    torch.manual_seed(0)
    model = build(model_spec(name, **{"widths": [4, 6, 8], **changes}))
    return model, torch.randn(6, 3, 16, 16), torch.arange(6)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", ["cifar_resnet14", "cifar_plain14", "cifar_preact_resnet14"])
def test_norms_are_those_of_autograd_unit_by_unit(name, training):
    model, images, labels = _case(name)
    model.train(training)
    found = gradient_norms(model, images, labels)
    assert [g.unit for g in found] == [f"stages.{s}.{u}" for s in range(3) for u in range(2)]
    assert {g.kind for g in found} == {"plain" if "plain" in name else "residual"}
    twin = copy.deepcopy(model)
    x, inputs = twin.stem(images), []
    for stage in twin.stages:
        for unit in stage:
            x = x.detach().requires_grad_() if not inputs else x
            inputs.append(x)
            x = unit(x)
    loss = F.cross_entropy(twin.head(twin.tail(x)), labels)
    for got, gradient in zip(found, torch.autograd.grad(loss, inputs), strict=True):
        assert got.norm == pytest.approx(float(gradient.norm()), rel=1e-3)


def test_at_the_merge_it_is_the_gradient_before_the_activation():
    torch.manual_seed(0)
    branch = nn.Linear(3, 3)
    model = nn.Sequential(
        Residual(branch, activation=nn.ReLU(inplace=True))
    )  # in place: the tap must not be fooled
    x, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    (got,) = gradient_norms(model, x, labels)
    x = x.requires_grad_()
    merged = x + branch(x)
    merged.retain_grad()
    out = torch.relu(merged)
    out.retain_grad()
    F.cross_entropy(out, labels).backward()
    assert merged.grad is not None
    assert x.grad is not None
    assert out.grad is not None
    assert got.merged == pytest.approx(float(merged.grad.norm()), rel=1e-5)
    assert got.norm == pytest.approx(float(x.grad.norm()), rel=1e-5)
    assert got.merged != pytest.approx(float(out.grad.norm()), rel=1e-2)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_afterwards_as_before(training):
    model, images, labels = _case()
    model.train(training)
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 0.5)
    before = copy.deepcopy(model.state_dict())
    gradient_norms(model, images, labels)
    assert model.training is training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(bool((p.grad == 0.5).all()) for p in model.parameters())
    assert not images.requires_grad
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_it_measures_under_no_grad_and_on_frozen_models_too():
    model, images, labels = _case()
    expected = gradient_norms(model, images, labels)
    model.requires_grad_(False)
    with torch.no_grad():
        assert gradient_norms(model, images, labels) == expected


def test_where_no_gradient_arrives_the_norm_is_zero():
    class Cut(nn.Module):
        def forward(self, x):
            return x.detach()

    model = nn.Sequential(Residual(nn.Linear(3, 3)), Cut(), Residual(nn.Linear(3, 3)))
    first, last = gradient_norms(model, torch.randn(2, 3), torch.tensor([0, 1]))
    assert (first.norm, first.merged) == (0, 0)
    assert last.merged > 0


def test_layer_gradients_are_those_of_backward():
    model, images, labels = _case()
    found = {g.layer: g for g in layer_gradients(model, images, labels)}
    twin = copy.deepcopy(model)
    F.cross_entropy(twin(images), labels).backward()
    fc = twin.head.fc
    both = torch.cat([fc.weight.grad.flatten(), fc.bias.grad])
    assert found["head.fc"].gradient == pytest.approx(float(both.norm()), rel=1e-4)
    stem = twin.stem.conv.weight
    assert found["stem.conv"].gradient == pytest.approx(float(stem.grad.norm()), rel=1e-4)
    assert found["stem.conv"].weights == pytest.approx(float(stem.detach().norm()), rel=1e-4)
    assert next(iter(found)) == "stem.conv"
    assert all(p.grad is None for p in model.parameters())


def test_frozen_layers_have_no_gradient_and_unused_ones_none_at_all():
    class Spare(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.spare, self.frozen = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3)
            self.frozen.requires_grad_(False)

        def forward(self, x):
            return self.frozen(self.used(x))

    model = Spare()
    used, spare = layer_gradients(model, torch.randn(2, 3), torch.tensor([0, 1]))
    assert (used.layer, spare.layer, spare.gradient) == ("used", "spare", 0)
    assert used.gradient > 0
    assert layer_gradients(model.requires_grad_(False), torch.randn(2, 3), torch.tensor([0, 1])) == []


def test_over_training_each_state_is_measured_and_the_model_stays():
    model, images, labels = _case()
    before = copy.deepcopy(model.state_dict())
    other = copy.deepcopy(model)
    nn.init.zeros_(other.stem.conv.weight)
    found = gradients_over_training(model, [(1, model.state_dict()), (7, other.state_dict())], images, labels)
    assert list(found) == [1, 7]
    assert found[1] == gradient_norms(copy.deepcopy(model).train(), images, labels)
    assert found[7] == gradient_norms(copy.deepcopy(other).train(), images, labels)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    with pytest.raises(UsageError, match="epoch 3 is not one of this"):
        gradients_over_training(model, [(3, {"a": torch.zeros(1)})], images, labels)


def test_norms_below_the_smallest_of_float32_are_kept_in_float64():
    model = nn.Sequential(Residual(nn.Linear(3, 3)), nn.Linear(3, 3)).double()
    nn.init.normal_(model[1].weight, std=1e-60)
    (found,) = gradient_norms(model, torch.randn(2, 3, dtype=torch.float64), torch.tensor([0, 1]))
    assert 1e-63 < found.norm < 1e-57


def test_a_network_that_gives_no_logits_is_refused_in_one_line():
    model = nn.Sequential(Residual(nn.Linear(3, 3)), nn.Unflatten(1, (3, 1)))
    for look in (gradient_norms, layer_gradients):
        with pytest.raises(UsageError, match=r"\(2, classes\), not \(2, 3, 1\)"):
            look(model, torch.randn(2, 3), torch.tensor([0, 1]))
