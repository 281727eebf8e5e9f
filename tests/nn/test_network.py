import warnings

import pytest
import torch
from torch import nn

from residua.errors import UsageError
from residua.registry import build, model_spec


def _tiny(**changes):
    return build(model_spec("cifar_resnet8", **{"widths": [4, 6, 8], **changes}))


def test_forward_is_features_and_head():
    model = _tiny(num_classes=3).eval()
    x = torch.randn(2, 3, 32, 32)
    features = model.forward_features(x)
    assert features.shape == (2, model.num_features, 8, 8)
    assert torch.equal(model(x), model.forward_head(features))
    pooled = model.forward_head(features, pre_logits=True)
    assert torch.allclose(pooled, features.mean((2, 3)))
    assert torch.equal(model(x), model.head.fc(pooled))


@pytest.mark.parametrize(
    "name", ["resnet18", "resnet50", "cifar_resnet20", "preact_resnet18", "cifar_resnet164"]
)
def test_feature_info_tells_the_true_shapes(name):
    with torch.device("meta"):
        model = build(model_spec(name)).eval()
    shapes = {}
    for info in model.feature_info:
        module = model.get_submodule(info["module"])
        module.register_forward_hook(lambda _, __, out, key=info["module"]: shapes.update({key: out.shape}))
    side = 64
    model(torch.empty(1, 3, side, side, device="meta"))
    assert len(shapes) == len(model.spec.depths)
    for info in model.feature_info:
        assert shapes[info["module"]] == (
            1,
            info["num_chs"],
            side // info["reduction"],
            side // info["reduction"],
        )
    assert model.num_features == model.feature_info[-1]["num_chs"]


def test_reset_classifier_puts_a_fresh_layer_in_place_and_says_so_in_the_spec():
    model = _tiny().double()
    before = model.stem.conv.weight.clone()
    model.reset_classifier(7)
    assert model.head.fc.weight.dtype == torch.float64
    assert model(torch.randn(1, 3, 32, 32, dtype=torch.float64)).shape == (1, 7)
    assert model.spec.num_classes == 7
    assert torch.equal(model.stem.conv.weight, before)
    model.reset_classifier(0)
    assert isinstance(model.head.fc, nn.Identity)
    assert model(torch.randn(1, 3, 32, 32, dtype=torch.float64)).shape == (1, model.num_features)


def test_a_negative_number_of_classes_is_refused():
    with pytest.raises(UsageError, match="cannot be negative, not -1"):
        _tiny().reset_classifier(-1)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("cifar_resnet8", (3, 32, 32), "must be (N, C, H, W), got 3 dimensions"),
        ("cifar_resnet8", (2, 1, 32, 32), "takes 3 channels, got 1; build it with in_channels=1"),
        ("cifar_resnet8", (2, 3, 3, 32), "needs at least 4 px, got 3x32"),
        (
            "resnet18",
            (2, 3, 224, 31),
            "needs at least 32 px, got 224x31; stem='cifar' keeps small images whole",
        ),
    ],
)
def test_images_that_do_not_fit_get_one_clear_line(name, shape, message):
    with torch.device("meta"):
        model = build(model_spec(name))
    with pytest.raises(ValueError) as caught:
        model(torch.empty(shape, device="meta"))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_small_images_in_a_large_stem_warn_once():
    with torch.device("meta"):
        model = build(model_spec("resnet18"))
    x = torch.empty(2, 3, 32, 32, device="meta")
    with pytest.warns(UserWarning, match="stem='cifar' suits small images") as caught:
        model(x)
        model(x)
    assert len(caught) == 1


@pytest.mark.parametrize(("name", "side"), [("resnet18", 64), ("cifar_resnet8", 32)])
def test_images_that_suit_the_stem_do_not_warn(name, side):
    with torch.device("meta"):
        model = build(model_spec(name))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(torch.empty(2, 3, side, side, device="meta"))
