"""Spectral normalisation against exact singular values and against torch's own parametrisation."""

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from residua.nn import Residual
from residua.nn.segments import recomputing
from residua.nn.spectral import SpectralConv2d, SpectralLinear


def largest(matrix):
    return torch.linalg.svdvals(matrix.detach().double())[0].item()


def settled(layer):
    for _ in range(200):
        layer.settle()
    return layer


LAYERS = [
    (SpectralLinear, nn.Linear, (7, 5), (4, 7)),
    (SpectralConv2d, nn.Conv2d, (3, 6, 3, 1, 1), (2, 3, 8, 8)),
]


@pytest.mark.parametrize(("spectral", "plain", "args", "shape"), LAYERS)
def test_the_largest_singular_value_becomes_one(spectral, plain, args, shape):
    torch.manual_seed(0)
    layer = spectral(*args)
    with torch.no_grad():
        layer.weight.mul_(3)  # as it is drawn, it may lie near one by chance
    settled(layer).eval()
    assert largest(layer.weight.flatten(1)) > 1.1
    assert largest(layer.normalized().flatten(1)) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("spectral", "plain", "args", "shape"), LAYERS)
def test_values_and_gradients_are_those_of_torchs_parametrisation(spectral, plain, args, shape):
    ours, theirs = spectral(*args).double(), spectral_norm(plain(*args)).double()
    twin = theirs.parametrizations.weight
    state = {"weight": twin.original, "bias": theirs.bias, "u": twin[0]._u, "v": twin[0]._v}
    ours.load_state_dict(state)
    x = torch.randn(shape).double()
    for _ in range(3):  # each pass in training mode moves u and v by one step
        ours.zero_grad()
        theirs.zero_grad()
        a, b = ours(x), theirs(x)
        torch.testing.assert_close(a, b)
        a.square().sum().backward()
        b.square().sum().backward()
        torch.testing.assert_close(ours.weight.grad, twin.original.grad)
        torch.testing.assert_close(ours.u, twin[0]._u)


@pytest.mark.parametrize(("spectral", "plain", "args", "shape"), LAYERS)
def test_keys_are_those_of_the_plain_layer_and_two_buffers(spectral, plain, args, shape):
    layer = spectral(*args)
    assert set(layer.state_dict()) == {*plain(*args).state_dict(), "u", "v"}
    assert {name for name, _ in layer.named_parameters()} == {"weight", "bias"}


def test_a_copy_of_the_state_goes_on_bit_for_bit():
    torch.manual_seed(0)
    layer, x = SpectralConv2d(2, 4, 3), torch.randn(1, 2, 6, 6)
    layer(x)
    copy = SpectralConv2d(2, 4, 3)
    copy.load_state_dict(layer.state_dict())
    assert torch.equal(layer(x), copy(x))
    assert torch.equal(layer.u, copy.u)


def test_only_training_moves_the_estimate():
    layer = SpectralLinear(8, 8)
    layer.weight.data += torch.randn(8, 8)
    before = layer.u.clone()
    layer.eval()(torch.randn(1, 8))
    assert torch.equal(layer.u, before)
    layer.train()(torch.randn(1, 8))
    assert not torch.equal(layer.u, before)


def test_a_network_of_normalised_layers_is_1_lipschitz():
    torch.manual_seed(1)
    layers = [settled(SpectralLinear(16, 16)) for _ in range(4)]
    net = nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU()))).eval()
    for _ in range(8):
        assert largest(torch.autograd.functional.jacobian(net, torch.randn(16))) <= 1 + 1e-5


def test_a_residual_unit_of_them_is_2_lipschitz_not_1():
    branch = settled(SpectralLinear(16, 16)).eval()
    jacobian = torch.autograd.functional.jacobian(Residual(branch), torch.randn(16))
    assert 1 < largest(jacobian) <= 2 + 1e-5


def test_a_convolution_is_bounded_by_its_kernel_side_not_by_one():
    """The matrix that is normalised is not the operator: with equal weights everywhere, each pixel counts 9 times."""
    layer = SpectralConv2d(1, 1, 3, padding=1, bias=False)
    nn.init.ones_(layer.weight)
    settled(layer).eval()
    jacobian = torch.autograd.functional.jacobian(
        lambda x: layer(x.view(1, 1, 9, 9)).flatten(), torch.randn(81)
    )
    assert 2 < largest(jacobian) <= 3 + 1e-5


def test_recomputing_moves_the_estimate_once():
    torch.manual_seed(0)
    unit, x = (
        Residual(nn.Sequential(SpectralLinear(6, 6), nn.ReLU(), SpectralLinear(6, 6))),
        torch.randn(3, 6),
    )
    start = {name: value.clone() for name, value in unit.state_dict().items()}
    results = []
    for enabled in (False, True):
        unit.load_state_dict(start)
        unit.zero_grad()
        with recomputing(unit, enabled):
            unit(x).square().sum().backward()
        results.append([unit.branch[0].u.clone(), *(p.grad.clone() for p in unit.parameters())])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_autocast_leaves_the_normalisation_in_float32():
    layer = settled(SpectralLinear(32, 32))
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.randn(2, 32)).dtype == torch.bfloat16
        assert largest(layer.normalized()) == pytest.approx(1, abs=1e-5)
