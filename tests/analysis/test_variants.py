import copy

import pytest
import torch
from torch import nn

from residua.analysis.variants import counterparts, redraw, variants
from residua.errors import UsageError
from residua.nn import BranchOnly, Residual, residual_units
from residua.registry import build, model_spec


def _model(name="cifar_resnet14"):
    torch.manual_seed(0)
    return build(model_spec(name, widths=[4, 6, 8]))


def test_a_residual_network_has_a_plain_counterpart_and_a_plain_one_is_alone():
    both = counterparts(_model())
    assert list(both) == ["residual", "plain"]
    assert all(isinstance(u.merge, BranchOnly) for u in residual_units(both["plain"]).values())
    assert list(counterparts(_model("cifar_plain14"))) == ["plain"]
    assert list(counterparts(build(model_spec("densenet_tiny")))) == ["residual"]
    with pytest.raises(UsageError, match="no residual units"):
        counterparts(nn.Linear(2, 2))


def test_eight_variants_and_the_network_untouched():
    model = _model()
    before, place = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    found = list(variants(counterparts(model)))
    assert len({(v.network, v.init, v.norms) for v in found}) == len(found) == 8
    for variant in found:
        norms = [m for m in variant.model.modules() if isinstance(m, nn.BatchNorm2d)]
        assert bool(norms) is variant.norms
        assert variant.model.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), place)


def test_a_network_without_norms_has_no_variants_with_them():
    model = nn.Sequential(Residual(nn.Sequential(nn.Linear(3, 3), nn.ReLU())), nn.Identity())
    assert [(v.init, v.norms) for v in variants({"mine": model})] == [("He", False), ("Xavier", False)]


def test_what_is_drawn_has_the_variance_of_its_init_in_fully_connected_units_too():
    model = nn.Sequential(Residual(nn.Linear(200, 200)), nn.Linear(200, 3))
    for init, variance in (("He", 2 / 200), ("Xavier", 1 / 200)):
        redraw(model, init, 1)
        assert float(model[0].branch.weight.detach().var()) == pytest.approx(variance, rel=0.05)
    first = model[0].branch.weight.detach().clone()
    redraw(model, "Xavier", 1)
    assert torch.equal(model[0].branch.weight, first)
    redraw(model, "Xavier", 2)
    assert not torch.equal(model[0].branch.weight, first)


def test_training_leaves_no_trace_in_a_variant():
    model = _model()
    model.stem.norm.running_mean.fill_(9)
    model.head.fc.weight.data.fill_(9)
    found = next(iter(variants({"it": model})))
    assert float(found.model.stem.norm.running_mean.abs().max()) == 0
    assert float(found.model.head.fc.weight.abs().max()) < 1
