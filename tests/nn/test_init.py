import math

import pytest
import torch
from torch import nn

from residua.nn import BasicBlock, he_init, residual_units, xavier_init, zero_init_branches
from residua.registry import build, model_spec


def test_convolutions_have_the_variance_of_fan_out():
    torch.manual_seed(0)
    conv = nn.Conv2d(16, 64, 3, bias=True)
    he_init(conv)
    assert float(conv.weight.detach().std()) == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.05)
    assert conv.bias is not None
    assert not bool(conv.bias.any())


def test_norms_start_as_the_identity():
    norm = nn.BatchNorm2d(4)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    he_init(norm)
    assert bool((norm.weight == 1).all())
    assert bool((norm.bias == 0).all())


@pytest.mark.parametrize("order", ["original", "full_preact"])
@pytest.mark.parametrize("unit", ["basic", "bottleneck"])
def test_zeroed_branches_make_every_unit_its_shortcut(order, unit):
    spec = model_spec(
        "cifar_resnet20", unit=unit, depths=[2, 1, 1], widths=[4, 6, 8], order=order, zero_init=True
    )
    model = build(spec)
    for name, residual in residual_units(model).items():
        x = torch.randn(2, _channels(residual), 6, 6).relu()
        assert not bool(residual.branch(x).any()), name
        assert torch.equal(residual(x), residual.activation(residual.shortcut(x))), name


def test_a_zeroed_identity_unit_is_the_identity_function_after_relu():
    block = BasicBlock(4, 4)
    zero_init_branches(nn.Sequential(block))
    x = torch.randn(2, 4, 5, 5).relu()
    assert torch.equal(block(x), x)


def _channels(unit: nn.Module) -> int:
    first = next(m for m in unit.modules() if isinstance(m, nn.Conv2d))
    return first.in_channels


def test_xavier_has_the_variance_of_both_fans_and_leaves_the_head():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(16, 64, 3), nn.BatchNorm2d(64), nn.Linear(64, 64))
    nn.init.constant_(model[1].weight, 3)
    head = model[2].weight.detach().clone()
    xavier_init(model)
    assert float(model[0].weight.detach().std()) == pytest.approx(math.sqrt(2 / ((16 + 64) * 9)), rel=0.05)
    assert not bool(model[0].bias.any())
    assert bool((model[1].weight == 1).all())
    assert torch.equal(model[2].weight, head)
    xavier_init(model, linear=True)
    assert float(model[2].weight.detach().std()) == pytest.approx(math.sqrt(1 / 64), rel=0.05)
    he_init(model, linear=True)
    assert float(model[2].weight.detach().std()) == pytest.approx(math.sqrt(2 / 64), rel=0.05)
