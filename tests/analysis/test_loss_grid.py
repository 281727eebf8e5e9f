import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from residua.analysis.loss_grid import LossGrid, filter_normalised, landscape, measures
from residua.errors import UsageError
from residua.looks import look
from residua.registry import build, model_spec


def _grid(function, points=11, radius=1.0):
    middle = points // 2
    at = tuple(radius * (i - middle) / middle for i in range(points))
    return LossGrid(at=at, loss=tuple(tuple(function(x, y) for x in at) for y in at))


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    model = build(model_spec("cifar_resnet8", widths=[4, 6, 8])).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.uniform_(0.5, 2)
    return model, torch.randn(4, 3, 8, 8), torch.tensor([0, 1, 2, 3])


def test_each_filter_moves_by_its_own_length_and_norms_stay(tiny):
    model = tiny[0]
    direction = filter_normalised(model, 0)
    parameters = dict(model.named_parameters())
    assert set(direction) == {name for name, p in parameters.items() if p.ndim > 1}
    for name, moved in direction.items():
        torch.testing.assert_close(
            moved.flatten(1).norm(dim=1), parameters[name].detach().flatten(1).norm(dim=1)
        )
    again, other = filter_normalised(model, 0), filter_normalised(model, 1)
    assert all(torch.equal(direction[name], again[name]) for name in direction)
    assert not any(torch.equal(direction[name], other[name]) for name in direction)


def test_the_scale_of_a_filter_before_a_norm_does_not_change_the_picture():
    """What the normalisation is for (Li et al. 2018, sec. 3)."""
    torch.manual_seed(0)

    def make(scale):
        torch.manual_seed(1)
        conv, norm = nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4, eps=0)
        conv.weight.data *= scale
        norm.running_mean.uniform_(-1, 1).mul_(scale)
        norm.running_var.uniform_(0.5, 1).mul_(scale**2)
        return nn.Sequential(conv, norm, nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3)).double().eval()

    images, labels = torch.randn(5, 3, 8, 8).double(), torch.tensor([0, 1, 2, 0, 1])
    one, ten = (landscape(make(scale), images, labels, points=5) for scale in (1, 10))
    torch.testing.assert_close(torch.tensor(one.loss), torch.tensor(ten.loss), rtol=1e-4, atol=1e-5)


def test_the_grid_is_the_loss_at_moved_weights(tiny):
    model, images, labels = tiny
    found = landscape(model, images, labels, points=5, radius=0.5, seed=3)
    assert found.at == (-0.5, -0.25, 0.0, 0.25, 0.5)
    with torch.no_grad():
        assert found.centre == pytest.approx(float(F.cross_entropy(model(images), labels)), rel=1e-5)
        first, second = filter_normalised(model, 6), filter_normalised(model, 7)
        moved = copy.deepcopy(model)
        for name, parameter in moved.named_parameters():
            if name in first:
                parameter += 0.25 * first[name] - 0.5 * second[name]
        assert found.loss[0][3] == pytest.approx(float(F.cross_entropy(moved(images), labels)), rel=1e-4)
    assert found.profile(0) == found.loss[2]
    assert found.profile(1)[0] == found.loss[0][2]


def test_a_bowl_is_convex_and_a_saddle_is_not():
    bowl = measures(_grid(lambda x, y: 1 + x * x + 2 * y * y))
    assert (bowl["negative_curvature"], bowl["nonconvexity"], bowl["minima"]) == (0, 0, 1)
    assert bowl["rise"] == pytest.approx(1.5)
    assert bowl["ratio"] == pytest.approx(2.5)
    saddle = measures(_grid(lambda x, y: 1 + x * y))
    assert (saddle["negative_curvature"], saddle["minima"]) == (1, 0)
    assert saddle["nonconvexity"] == pytest.approx(1)
    waves = measures(_grid(lambda x, y: 2 + math.cos(6 * x) * math.cos(6 * y), points=21))
    assert waves["minima"] > 1
    assert 0 < waves["negative_curvature"] < 1


def test_losses_that_are_not_finite_are_gaps():
    found = measures(_grid(lambda x, y: math.nan if x > 0.5 else 1 + x * x + y * y))
    assert found["largest_loss"] == 3
    assert found["negative_curvature"] == 0
    nothing = measures(_grid(lambda x, y: math.nan))
    assert nothing["negative_curvature"] is None


def test_the_finding_tells_every_point_and_leaves_the_model(tiny):
    model, images, labels = tiny
    model.train()
    before, done = copy.deepcopy(model.state_dict()), []
    found = look("landscape", model, images, labels, points=5, progress=lambda *a: done.append(a))
    assert len(found.rows) == 25
    assert done[-1] == (25, 25)
    assert "inner points" in found.sentence
    assert found.panels[0].surface is not None
    assert model.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("wrong", [{"points": 4}, {"points": 3}, {"points": 10}, {"radius": 0.0}])
def test_wrong_grids_are_refused(tiny, wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        landscape(*tiny, **wrong)


def test_a_network_without_filters_is_refused():
    with pytest.raises(UsageError, match="no filters"):
        filter_normalised(nn.BatchNorm2d(3), 0)
