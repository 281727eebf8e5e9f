import dataclasses
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from residua.analysis import unit_jacobians as jacobian_module
from residua.analysis.unit_calls import relative_errors, runs, unit_calls
from residua.analysis.unit_jacobians import (
    factors,
    forward_errors,
    jacobian,
    naive_factors,
    products,
)
from residua.data import load_data, normalize
from residua.looks import look
from residua.nn import Residual
from residua.registry import build, model_spec
from residua.spec import DataSpec


def case(name="cifar_resnet14", **changes):
    torch.manual_seed(0)
    model = build(model_spec(name, **{"widths": [4, 6, 8], **changes})).eval()
    for module in model.modules():  # statistics as after training
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.running_mean)
    return model, torch.randn(5, 3, 8, 8), torch.arange(5)


_NAMES = {
    "cifar_resnet14": {},
    "cifar_preact_resnet14": {},
    "cifar_plain14": {},
    "cifar_resnet20_exclusive_gating": {},
    "cifar_resnet20_shortcut_only_gating": {},
    "cifar_resnet20_constant_scaling": {},
    "cifar_resnet14 ": {"shortcut": "B"},
    "cifar_preact_resnet14 ": {"shortcut": "C", "drop_path": 0.5, "drop_path_mode": "batch"},
    "cifar_resnet20_bn_after_addition": {},
}


@pytest.mark.parametrize("name", _NAMES)
def test_the_product_of_the_factors_is_the_gradient(name):
    found = jacobian(*case(name.strip(), **_NAMES[name]))
    assert max(u.error for u in found) < 1e-10
    assert all(u.forward_error is not None and u.forward_error < 1e-10 for u in found)


def test_the_naive_product_is_exact_under_preactivation_alone():
    assert max(u.naive_error for u in jacobian(*case("cifar_preact_resnet14"))) < 1e-10
    for name in ("cifar_resnet14", "cifar_preact_resnet14", "cifar_resnet20_constant_scaling"):
        shortcut = "C" if "preact" in name else "A"
        assert max(u.naive_error for u in jacobian(*case(name, shortcut=shortcut))) > 0.1


def _run(name="cifar_resnet14", **changes):
    (run,) = runs(unit_calls(*case(name, **changes)))
    return run


def _error(run, planted):
    found = products(run, run[-1].y_grad, planted)
    return float(relative_errors(found[0], run[0].x_grad).max())


def _no_activation(call):
    return dataclasses.replace(factors(call), activation=lambda g: g)


def _wrong_subsampling(call):
    """Where option A takes every second pixel: the identity on pixels, spread over all of them."""
    spread = lambda g: F.interpolate(g[:, : call.x.shape[1]], size=call.x.shape[2:])  # noqa: E731
    return factors(call) if call.keeps_shape else dataclasses.replace(factors(call), shortcut=spread)


def _whole_unit(call):
    """The Jacobian of the whole unit in the place of the branch's: what counts the shortcut twice."""
    return dataclasses.replace(factors(call), branch=factors(call).pull)


@pytest.mark.parametrize("planted", [_no_activation, _wrong_subsampling, _whole_unit, naive_factors])
def test_a_wrong_factor_is_seen(planted):
    run = _run()
    assert _error(run, factors) < 1e-10
    assert _error(run, planted) > 1e-2


def test_the_parts_are_those_of_explicit_matrices():
    """Two units on vectors: D and S are written down by hand, J is the weight."""
    torch.manual_seed(0)
    branch, shortcut = nn.Linear(3, 3), nn.Linear(3, 3)
    model = nn.Sequential(
        Residual(branch, shortcut, activation=nn.ReLU(inplace=True)), Residual(nn.Linear(3, 3))
    )
    x = torch.randn(1, 3)
    (run,) = runs(unit_calls(model, x, torch.tensor([1])))
    g = torch.randn(1, 3, dtype=torch.float64)
    merged = branch(x) + shortcut(x)
    mask = (merged > 0).double()
    expected = (g * mask) @ (branch.weight + shortcut.weight).detach().double()
    torch.testing.assert_close(factors(run[0]).pull(g), expected)
    torch.testing.assert_close(factors(run[0]).branch(g), g @ branch.weight.detach().double())
    torch.testing.assert_close(
        naive_factors(run[0]).pull(g), g + g @ branch.weight.detach().double(), rtol=1e-6, atol=1e-6
    )


def test_forward_and_backward_are_independent(monkeypatch):
    run = _run()
    real = jacobian_module.jvp

    def planted(function, *pairs):
        value, along = real(function, *pairs)
        return value, 2 * along if function is run[2].unit.shortcut else along

    monkeypatch.setattr(jacobian_module, "jvp", planted)
    found = forward_errors(run)
    assert max(found[:2]) < 1e-10 < 1e-3 < min(found[2:])


def test_without_a_forward_derivative_the_check_is_left_out():
    class Backward(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        def backward(ctx, grad):
            return 2 * grad

    class Double(nn.Module):
        def forward(self, x):
            return Backward.apply(x)

    found = look("jacobian", nn.Sequential(Residual(Double())), torch.randn(2, 3), torch.tensor([0, 1]))
    assert found.values["forward_error"] is None
    assert found.values["relative_error"] < 1e-10


def test_the_finding_says_both_errors():
    found = look("jacobian", *case())
    values = json.loads(json.dumps(found.to_dict()))
    assert values["relative_error"] < 1e-10
    assert values["naive_error"] > 0.1
    assert len(values["rows"]) == 6
    assert f"{values['naive_error']:.1e}" in found.sentence
    assert values == json.loads(json.dumps(look("jacobian", *case()).to_dict()))
    assert "exact here too" in look("jacobian", *case("cifar_preact_resnet14")).sentence


def test_on_the_digits_with_the_networks_of_the_paper():
    data = load_data(DataSpec(source="digits"))
    pixels, labels = data.train.read(np.arange(16))
    images = normalize(pixels, data.mean, data.std)
    for name, naive_is_exact in (("cifar_resnet20", False), ("cifar_preact_resnet20", True)):
        torch.manual_seed(0)
        found = look("jacobian", build(model_spec(name, in_channels=1)), images, labels).values
        assert found["relative_error"] < 1e-10
        assert found["forward_error"] < 1e-10
        assert (found["naive_error"] < 1e-10) is naive_is_exact
