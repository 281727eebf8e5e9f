import copy

import pytest
import torch
from torch import nn

from residua.analysis.lesioning import lesioned, reordered
from residua.analysis.sites import layers, sites
from residua.errors import UsageError
from residua.nn import BranchOnly, Residual
from residua.registry import build, model_spec


def _case(name, **changes):
    torch.manual_seed(0)
    model = build(model_spec(name, **{"widths": [4, 6, 8], **changes})).eval()
    return model, torch.randn(3, 3, 16, 16)


def _unchanged(model, before):
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert list(model.state_dict()) == list(before)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@torch.no_grad()
def test_a_residual_unit_loses_its_branch():
    model, images = _case("cifar_resnet14")
    x = model.stem(images)
    with lesioned(model, ["stages.0.1"]):
        found = model(images)
    x = model.stages[2](model.stages[1](model.stages[0][0](x)))  # its input went through a ReLU already
    assert torch.equal(found, model.head(model.tail(x)))


@torch.no_grad()
def test_a_plain_unit_is_bypassed_and_not_zeroed():
    model, images = _case("cifar_plain14")
    expected = model.head(
        model.tail(model.stages[2](model.stages[1](model.stages[0][0](model.stem(images)))))
    )
    with lesioned(model, ["stages.0.1"]):
        found = model(images)
    assert torch.equal(found, expected)
    zeroed = model(images * 0 + 1)
    assert (found[0] - found[1]).abs().max() > 0  # the images still tell
    assert not torch.allclose(found, zeroed)


@torch.no_grad()
@pytest.mark.parametrize("norm", [False, True])
def test_a_vgg_layer_is_bypassed_with_its_norm_and_activation(norm):
    torch.manual_seed(0)
    spec = model_spec("vgg_tiny", norm=norm, in_channels=3)
    model, images = build(spec).eval(), torch.randn(2, 3, 16, 16)
    before = copy.deepcopy(model.state_dict())
    names = {"stem.conv", "stages.1.conv1", "stages.2.conv1", "stages.2.conv2"}
    assert set(layers(model)) == names
    assert layers(model)["stages.2.conv2"] == tuple(
        f"stages.2.{part}2" for part in (("conv", "norm", "act") if norm else ("conv", "act"))
    )
    x = model.stages[1](model.stages[0](model.stem(images)))
    stage = model.stages[2]
    x = stage.act1(stage.norm1(stage.conv1(x)) if norm else stage.conv1(x))
    with lesioned(model, ["stages.2.conv2"]):
        found = model(images)
    assert torch.equal(found, model.head(stage.pool(x)))
    _unchanged(model, before)
    found = sites(model, images)
    assert [site.can_go for site in found] == [False, False, False, True]
    assert {site.kind for site in found} == {"layer"}


@pytest.mark.parametrize(("name", "cut"), [("cifar_plain14", "stages.1.0"), ("vgg_tiny", "stages.1.conv1")])
def test_what_changes_the_shape_cannot_be_bypassed(name, cut):
    torch.manual_seed(0)
    model = build(model_spec(name, in_channels=3)).eval()
    with lesioned(model, [cut]), pytest.raises(UsageError, match=f"{cut} cannot be cut out"):
        model(torch.randn(2, 3, 16, 16))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


@pytest.mark.parametrize("name", ["stages.9", "stages.0.1.branch"])
def test_an_unknown_unit_is_one_line(name):
    model, _ = _case("cifar_resnet14")
    with pytest.raises(UsageError, match="there is no unit"), lesioned(model, ["stages.0.0", name]):
        pass
    with pytest.raises(UsageError, match="there is no unit"), reordered(model, [("stages.0.0", name)]):
        pass
    assert not any(m._forward_hooks for m in model.modules())


def test_layers_are_found_in_sequentials_only_and_not_in_units():
    conv = lambda: nn.Conv2d(3, 3, 3, padding=1)  # noqa: E731
    branch = nn.Sequential(conv(), nn.ReLU())
    model = nn.Sequential(
        conv(), nn.MaxPool2d(2), nn.ReLU(), Residual(branch), nn.Sequential(conv(), nn.ReLU())
    )
    assert layers(model) == {"0": ("0",), "4.0": ("4.0", "4.1")}
    norm_after_activation = nn.Sequential(conv(), nn.ReLU(), nn.BatchNorm2d(3), nn.ReLU())
    assert layers(norm_after_activation) == {"0": ("0", "1")}


@torch.no_grad()
def test_units_change_places_and_come_back():
    model, images = _case("cifar_resnet20")
    before, output = copy.deepcopy(model.state_dict()), model(images)
    units = list(model.stages[1])
    with reordered(model, [("stages.1.1", "stages.1.2")]):
        assert list(model.stages[1]) == [units[0], units[2], units[1]]
        x = units[1](units[2](units[0](model.stages[0](model.stem(images)))))
        assert torch.equal(model(images), model.head(model.tail(model.stages[2](x))))
        assert not torch.allclose(model(images), output)
    assert list(model.stages[1]) == units
    assert torch.equal(model(images), output)
    _unchanged(model, before)


@torch.no_grad()
def test_swaps_follow_one_another():
    model, _ = _case("cifar_resnet20")
    a, b, c = list(model.stages[0])
    with reordered(model, [("stages.0.0", "stages.0.1"), ("stages.0.1", "stages.0.2")]):
        assert list(model.stages[0]) == [b, c, a]
    assert list(model.stages[0]) == [a, b, c]


@torch.no_grad()
def test_layers_change_places_with_all_their_parts():
    torch.manual_seed(0)
    layer = lambda: [nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU()]  # noqa: E731
    model = nn.Sequential(*layer(), *layer(), nn.Flatten()).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
    images = torch.randn(2, 3, 4, 4)
    with reordered(model, [("0", "3")]):
        found = model(images)
    assert torch.equal(found, model[6](model[:3](model[3:6](images))))
    assert sites(model, images)[0].swaps_with(sites(model, images)[1])


def test_a_unit_and_one_inside_it_cannot_change_places():
    model = nn.Sequential(Residual(nn.Sequential(Residual(nn.Linear(2, 2)), nn.Linear(2, 2))))
    with pytest.raises(UsageError, match="cannot change places"), reordered(model, [("0", "0.branch.0")]):
        pass
    outer, inner = sorted(sites(model, torch.randn(1, 2)), key=lambda site: site.name)
    assert not outer.swaps_with(inner)
    assert not inner.swaps_with(outer)


def test_a_failure_inside_puts_everything_back():
    model, _ = _case("cifar_resnet14")
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(ZeroDivisionError), reordered(model, [("stages.0.0", "stages.0.1")]):
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), lesioned(model, ["stages.0.0"]):
        raise ZeroDivisionError
    _unchanged(model, before)


def test_sites_tell_kinds_and_shapes():
    model, images = _case("cifar_plain14")
    found = sites(model.train(), images)
    assert [site.name for site in found] == [f"stages.{s}.{u}" for s in range(3) for u in range(2)]
    assert [site.can_go for site in found] == [True, True, False, True, False, True]
    assert (found[2].kind, found[2].input, found[2].output) == ("plain", (4, 16, 16), (6, 8, 8))
    assert model.training
    assert model.stages[0][0].training
    residual, images = _case("cifar_resnet14")
    assert all(site.can_go for site in sites(residual, images))
    with pytest.raises(UsageError, match="no residual units"):
        sites(nn.Linear(2, 2), torch.randn(1, 2))
    assert sites(nn.Sequential(Residual(nn.Linear(2, 2), merge=BranchOnly())), torch.randn(1, 2))[0].can_go
