import pytest
import torch
from torch import nn

from residua.errors import UsageError
from residua.nn import residual_units
from residua.registry import build, model_spec

PARAMETERS = {  # torchvision's
    "vgg11": 132_863_336,
    "vgg13": 133_047_848,
    "vgg16": 138_357_544,
    "vgg19": 143_667_240,
    "vgg11_bn": 132_868_840,
    "vgg13_bn": 133_053_736,
    "vgg16_bn": 138_365_992,
    "vgg19_bn": 143_678_248,
}


def _meta(name, **changes):
    with torch.device("meta"):
        return build(model_spec(name, **changes))


def _parameters(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_exact_parameters(name, parameters):
    model = _meta(name)
    assert _parameters(model) == parameters
    assert str(model.spec.depth) in name
    assert not residual_units(model)


def test_the_hidden_layers_hold_nine_tenths_of_vgg16():
    model = _meta("vgg16")
    assert _parameters(model.head) == 123_642_856  # He et al. 2015 save these by global pooling


def test_a_cifar_net_pools_globally_and_has_one_fully_connected_layer():
    model = _meta("cifar_vgg16_bn")
    assert _parameters(model) == 14_728_266
    assert [type(m) for m in model.head.modules() if isinstance(m, nn.Linear)] == [nn.Linear]
    assert model(torch.empty(2, 3, 32, 32, device="meta")).shape == (2, 10)


def test_it_works_from_32_pixels_and_says_so_below():
    model = _meta("vgg11")
    assert model(torch.empty(1, 3, 32, 32, device="meta")).shape == (1, 1000)
    with pytest.raises(UsageError, match="needs at least 32 px, got 31x31"):
        model(torch.empty(1, 3, 31, 31, device="meta"))


def test_the_head_gives_its_hidden_features_and_takes_another_classifier():
    model = build(model_spec("vgg_tiny", hidden=[24, 12], pool_size=2, dropout=0.5)).eval()
    maps = model.forward_features(torch.randn(2, 3, 16, 16))
    assert maps.shape == (2, 64, 2, 2)
    assert model.forward_head(maps, pre_logits=True).shape == (2, model.num_features) == (2, 12)
    hidden = {name: tensor.clone() for name, tensor in model.head.pool.state_dict().items()}
    model.reset_classifier(7)
    assert model(torch.randn(2, 3, 16, 16)).shape == (2, 7)
    assert all(torch.equal(model.head.pool.state_dict()[name], tensor) for name, tensor in hidden.items())


def test_every_parameter_learns_at_eight_pixels():
    torch.manual_seed(0)
    model = build(model_spec("vgg_tiny", in_channels=1))
    model(torch.randn(8, 1, 8, 8)).square().sum().backward()
    # what a batch norm follows needs no bias: its gradient is zero but for rounding
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
    weights = {name: p for name, p in model.named_parameters() if name.endswith("weight")}
    assert all(bool(p.grad.ne(0).any()) for p in weights.values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depths": [1, 1]}, "equally long"),
        ({"depths": [1, 1, 0, 1, 1]}, "every stage needs a layer"),
        ({"hidden": [0]}, "every layer a channel"),
        ({"pool_size": 0}, "pool_size must be above 0"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\)"),
        ({"drop_path": 0.1}, "no shortcut to fall back on"),
    ],
)
def test_specs_that_cannot_be_built_are_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        model_spec("vgg11", **changes)


def test_drop_path_0_is_no_mistake():
    assert model_spec("vgg11", drop_path=0) == model_spec("vgg11")
