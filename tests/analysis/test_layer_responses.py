import copy

import pytest
import torch
from torch import nn

from residua.analysis.layer_responses import response
from residua.errors import UsageError
from residua.looks import look
from residua.nn import Residual
from residua.registry import build, model_spec


def _run(name, **changes):
    torch.manual_seed(0)
    model = build(model_spec(name, **{"widths": [4, 6, 8], **changes})).eval()
    for module in model.modules():  # statistics as after training
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.running_mean)
    return model, torch.randn(4, 3, 16, 16)


@torch.no_grad()
def test_a_response_is_the_std_after_the_norm_and_before_activation_and_addition():
    model, images = _run("cifar_resnet8")
    measured = {r.layer: r.std for r in response(model, images)}
    x = model.stem.norm(model.stem.conv(images))
    assert measured.pop("stem.conv") == pytest.approx(float(x.detach().std(correction=0)), rel=1e-5)
    x = torch.relu(x)
    for stage in range(3):
        unit = model.stages[stage][0]
        b = unit.branch
        first = b.norm1(b.conv1(x))
        second = b.norm2(b.conv2(torch.relu(first)))
        for name, value in (("conv1", first), ("conv2", second)):
            key = f"stages.{stage}.0.branch.{name}"
            assert measured.pop(key) == pytest.approx(float(value.std(correction=0)), rel=1e-4), key
        x = unit(x)
    assert not measured


def test_every_3x3_layer_is_there_in_order_with_its_unit_and_kind():
    model, images = _run("cifar_plain14")
    found = response(model, images)
    assert len(found) == 13
    assert [(r.unit, r.layer) for r in found[:3]] == [
        ("stem", "stem.conv"),
        ("stages.0.0", "stages.0.0.branch.conv1"),
        ("stages.0.0", "stages.0.0.branch.conv2"),
    ]
    assert {r.kind for r in found} == {"plain"}


def test_of_bottlenecks_only_the_3x3_and_no_projection():
    model, images = _run("cifar_resnet11", shortcut="C")
    found = response(model, images)
    assert [r.layer for r in found[1:]] == [f"stages.{i}.0.branch.conv2" for i in range(3)]
    assert [r.kind for r in found] == ["plain", "residual", "residual", "residual"]


@torch.no_grad()
def test_under_preactivation_it_is_the_convolutions_own_output():
    model, images = _run("cifar_resnet8", order="full_preact")
    unit = model.stages[0][0]
    x = model.stem(images)
    first = unit.branch.conv1(x)
    second = unit.branch.conv2(torch.relu(unit.branch.norm2(first)))
    measured = {r.layer: r.std for r in response(model, images)}
    # the norm right after the first convolution belongs to the second, but it is what follows
    after = unit.branch.norm2(first)
    assert measured["stages.0.0.branch.conv1"] == pytest.approx(float(after.std(correction=0)), rel=1e-5)
    assert measured["stages.0.0.branch.conv2"] == pytest.approx(float(second.std(correction=0)), rel=1e-5)


@torch.no_grad()
def test_activations_in_place_do_not_disturb():
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
    model = nn.Sequential(
        Residual(nn.Sequential(conv, nn.BatchNorm2d(4), nn.ReLU(inplace=True)), nn.Conv2d(3, 4, 3))
    )
    images = torch.randn(5, 3, 8, 8)
    (found,) = response(model, images)
    assert found.layer == "0.branch.0"
    assert found.std == pytest.approx(float(norm(conv(images)).std(correction=0)), rel=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_afterwards_as_before(training):
    model, images = _run("cifar_resnet8")
    model.train(training)
    before = copy.deepcopy(model.state_dict())
    response(model, images)
    assert model.training is training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert all(p.grad is None for p in model.parameters())


def test_a_failure_leaves_no_hooks_behind():
    model, _ = _run("cifar_resnet8")
    with pytest.raises(ValueError, match="takes 3 channels"):
        response(model, torch.randn(2, 1, 16, 16))
    assert not any(m._forward_hooks for m in model.modules())


def test_a_model_without_3x3_layers_has_no_responses():
    assert response(nn.Linear(3, 3), torch.randn(2, 3)) == []


def test_the_finding_is_figure_7_as_the_network_predicts():
    model, images = _run("cifar_resnet8")
    expected = [r.std for r in response(model, images)]
    found = look("response", model.train(), images, torch.zeros(4, dtype=torch.int64))
    assert model.training
    assert [row[-1] for row in found.rows] == expected
    in_order, ranked = (list(panel.curves[0].y) for panel in found.panels)
    assert in_order == expected
    assert ranked == sorted(expected, reverse=True)
    assert found.values["layers"] == 7
    assert found.values["largest_std"] == ranked[0]


def test_without_3x3_layers_there_is_no_figure_7():
    with pytest.raises(UsageError, match="no 3x3"):
        look("response", nn.Linear(3, 3), torch.randn(2, 3), torch.tensor([0, 1]))
