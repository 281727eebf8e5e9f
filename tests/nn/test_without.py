import copy

import pytest
import torch
from torch import nn

from residua.errors import UsageError
from residua.nn import BranchOnly, Residual, residual_units, without_borders, without_norms, without_shortcuts
from residua.registry import build, model_spec


def _model(name="cifar_resnet14", **changes):
    torch.manual_seed(0)
    return build(model_spec(name, **{"widths": [4, 6, 8], **changes}))


@pytest.mark.parametrize("without", [without_norms, without_shortcuts, without_borders])
def test_the_model_itself_is_untouched(without):
    model = _model()
    before, text = copy.deepcopy(model.state_dict()), repr(model)
    copied = without(model)
    assert repr(model) == text != repr(copied)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert copied(torch.randn(2, 3, 8, 8)).shape == (2, 10)
    assert not {id(p) for p in model.parameters()} & {id(p) for p in copied.parameters()}


def test_without_norms_convolutions_and_activations_stay():
    model = _model("cifar_preact_resnet14", shortcut="C")
    copied = without_norms(model)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in copied.modules())
    count = lambda net, kind: sum(isinstance(m, kind) for m in net.modules())  # noqa: E731
    assert count(copied, nn.Conv2d) == count(model, nn.Conv2d)
    assert count(copied, nn.ReLU) == count(model, nn.ReLU)
    unit = copied.stages[0][0]
    x = torch.randn(2, 4, 8, 8)
    torch.testing.assert_close(unit.branch(x), unit.branch.conv2(unit.branch.conv1(x).relu()))
    assert not any(
        isinstance(m, nn.LayerNorm) for m in without_norms(build(model_spec("vit_digits"))).modules()
    )


def test_a_norm_that_is_used_twice_is_replaced_twice():
    norm = nn.BatchNorm1d(3)
    model = without_norms(nn.Sequential(norm, nn.ReLU(), norm))
    assert [type(m) for m in model] == [nn.Identity, nn.ReLU, nn.Identity]
    assert isinstance(without_norms(norm), nn.Identity)


@pytest.mark.parametrize(
    "changes",
    [{}, {"shortcut": "C"}, {"merge": "exclusive_gating"}, {"drop_path": 0.9, "drop_path_mode": "batch"}],
)
def test_without_shortcuts_it_is_the_plain_network(changes):
    model = _model(**changes)
    plain = _model("cifar_plain14")
    copied = without_shortcuts(model)
    assert all(isinstance(unit.merge, BranchOnly) for unit in residual_units(copied).values())
    plain.load_state_dict(copied.state_dict())  # the same parameters under the same names
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(copied.train()(x), plain.train()(x))


def test_a_concatenation_has_no_plain_counterpart():
    with pytest.raises(UsageError, match="Concat"):
        without_shortcuts(build(model_spec("densenet_tiny")))


def test_without_borders_a_constant_map_stays_constant():
    conv = nn.Conv2d(2, 2, 3, padding=1)
    x = torch.ones(1, 2, 4, 4)
    assert float(conv(x).detach().std(dim=(2, 3)).max()) > 1e-3
    assert float(without_borders(nn.Sequential(conv))(x).detach().std(dim=(2, 3)).max()) < 1e-6


def test_units_of_the_user_are_found_too():
    model = nn.Sequential(
        Residual(nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3)), activation=nn.LayerNorm(3))
    )
    assert not any(isinstance(m, nn.LayerNorm) for m in without_norms(model).modules())
