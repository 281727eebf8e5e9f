import json
import math

import pytest
import torch
from torch import nn

from residua.analysis.gains import gains, measured_gains, scalar_product
from residua.analysis.gradient import UnitGradient, gradient_norms
from residua.errors import UsageError
from residua.looks import look
from residua.nn import Residual
from residua.registry import build, model_spec


def case(name="cifar_resnet14"):
    torch.manual_seed(0)
    return build(model_spec(name, widths=[4, 6, 8])), torch.randn(6, 3, 8, 8), torch.arange(6)


def test_the_scalar_example_of_the_write_ups():
    assert f"{scalar_product(0.9).gradient:.2e}" == "2.95e-05"
    assert f"{scalar_product(1.1).gradient:,.0f}" == "12,528"
    assert scalar_product(0.0).gradient == 0  # F = -x
    for length in (10, 1000):
        assert scalar_product(1.1, length).gradient == pytest.approx(1.1**length)
        assert scalar_product(1 + 1 / length, length).gradient < math.e
    with pytest.raises(UsageError, match="at least one factor"):
        scalar_product(0.9, 0)


def test_gains_are_ratios_of_neighbours_and_their_mean_is_geometric():
    units = [UnitGradient(unit=str(n), kind="residual", norm=n, merged=n) for n in (8.0, 1.0, 2.0)]
    found = gains("it", units)
    assert found.gains == (8, 0.5)
    assert found.product == 4
    assert found.mean == pytest.approx(2)
    assert math.isnan(gains("it", [*units, UnitGradient(unit="3", kind="plain", norm=0, merged=0)]).mean)


def test_a_linear_chain_has_the_gain_that_was_built_in():
    model = nn.Sequential(*(Residual(nn.Linear(4, 4, bias=False)) for _ in range(5)))
    with torch.no_grad():
        for unit in model:
            unit.branch.weight.copy_(-0.1 * torch.eye(4))
    found = measured_gains(model, torch.randn(3, 4), torch.arange(3))[0]
    assert found.gains == pytest.approx([0.9] * 4)
    assert found.product == pytest.approx(0.9**4)


def test_the_measured_ones_are_those_of_a_training_step():
    model, images, labels = case()
    found = {g.label: g for g in measured_gains(model, images, labels)}
    norms = gradient_norms(model.train(), images, labels)
    assert found["as given"].product == pytest.approx(norms[0].norm / norms[-1].norm, rel=1e-3)
    assert len(found) == 9
    assert found["plain, Xavier, without norms"].mean < found["plain, He, without norms"].mean
    assert found["plain, He, without norms"].mean < found["residual, He, without norms"].mean


def test_the_finding():
    found = look("products", *case())
    assert "0.9^99 = 2.95e-05 and 1.1^99 = 12,528" in found.sentence
    assert found.values["e_over_L_1000"] < math.e < found.values["fixed_e_99"]
    assert len(found.rows) == 12
    assert {len(row) for row in found.rows} == {len(found.columns)}
    (panel,) = found.panels
    curve = next(c for c in panel.curves if c.label == "as given")
    assert curve.y[0] == 1
    assert curve.y[-1] == pytest.approx(found.values["product"])
    json.dumps(found.to_dict())


def test_too_little_is_refused():
    model, images, labels = case()
    with pytest.raises(UsageError, match="2 images"):
        look("products", model, images[:1], labels[:1])
    with pytest.raises(UsageError, match="2 units"):
        look("products", nn.Sequential(Residual(nn.Linear(3, 3))), torch.randn(2, 3), torch.tensor([0, 1]))
