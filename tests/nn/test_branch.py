import pytest
import torch
from torch import nn

from residua.errors import UsageError
from residua.nn import ConvLayer, basic_layers, bottleneck_layers, conv_branch


def _kinds(branch: nn.Sequential) -> str:
    letters = {nn.Conv2d: "c", nn.BatchNorm2d: "n", nn.ReLU: "r"}
    return "".join(letters[type(module)] for module in branch)


@pytest.mark.parametrize(
    ("order", "preactivated", "kinds"),
    [
        ("original", False, "cnrcnrcn"),
        ("original", True, "cnrcnrcn"),
        ("bn_after_addition", False, "cnrcnrc"),
        ("relu_before_addition", False, "cnrcnrcnr"),
        ("relu_only_preact", False, "rcnrcnrcn"),
        ("relu_only_preact", True, "cnrcnrcn"),
        ("full_preact", False, "nrcnrcnrc"),
        ("full_preact", True, "cnrcnrc"),
    ],
)
def test_the_order_of_convolution_norm_and_activation(order, preactivated, kinds):
    assert _kinds(conv_branch(bottleneck_layers(2), 8, order, preactivated=preactivated)) == kinds


def test_norms_fit_the_channels_that_they_see():
    branch = conv_branch(bottleneck_layers(2), 8, "full_preact")
    assert [m.num_features for m in branch if isinstance(m, nn.BatchNorm2d)] == [8, 2, 2]


@pytest.mark.parametrize(("stride_on", "strides"), [("1x1", [2, 1, 1]), ("3x3", [1, 2, 1])])
def test_where_a_bottleneck_strides(stride_on, strides):
    layers = bottleneck_layers(4, 2, stride_on=stride_on)
    assert [layer.stride for layer in layers] == strides
    assert [(layer.kernel, layer.out_channels) for layer in layers] == [(1, 4), (3, 4), (1, 16)]


def test_a_basic_branch_strides_on_its_first_layer():
    assert [layer.stride for layer in basic_layers(4, 2)] == [2, 1]


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_layer_keeps_the_maps_size_and_has_no_bias(kernel):
    conv = ConvLayer(kernel, 6, groups=2).build(4)
    assert conv(torch.randn(1, 4, 7, 6)).shape == (1, 6, 7, 6)
    assert conv.bias is None
    assert conv.groups == 2


def test_an_unknown_order_is_refused():
    with pytest.raises(UsageError, match="unknown order of activations 'preact'; did you mean 'full_preact'"):
        conv_branch(basic_layers(4), 4, "preact")  # type: ignore[arg-type]
