import copy
import math

import pytest
import torch
from torch import nn

from residua.analysis.refinement import refinable, refined
from residua.errors import UsageError
from residua.looks import look
from residua.nn import BranchOnly, ConstantScaling, Residual
from residua.registry import build, model_spec


class Linear(nn.Module):
    """x' = a x: the solution is known."""

    def __init__(self, a):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a, dtype=torch.float64))

    def forward(self, x):
        return self.a * x


def _classifier(*units):
    return nn.Sequential(*units, nn.Flatten())


@pytest.fixture
def points():
    torch.manual_seed(0)
    return torch.rand(6, 3, dtype=torch.float64) + 0.5, torch.tensor([0, 1, 2, 0, 1, 2])


def test_a_refined_linear_unit_is_the_known_power(points):
    images, _ = points
    model = _classifier(Residual(Linear(-0.7)))
    for steps in (1, 2, 5):
        with refined(model, steps):
            torch.testing.assert_close(model(images), images * (1 - 0.7 / steps) ** steps)
    torch.testing.assert_close(model(images), images * 0.3)  # and is afterwards itself


def test_the_order_of_euler_is_one(points):
    found = look("euler", _classifier(Residual(Linear(-0.7)), Residual(Linear(0.4))), *points)
    assert found.values["observed_order"] == pytest.approx(1, abs=0.02)
    assert [row[:2] for row in found.rows] == [(2**i, 1 / 2**i) for i in range(7)]
    exact = math.exp(-0.7 + 0.4)  # what all steps converge to; Richardson's reference has 128 of them
    plain = 0.3 * 1.4
    assert found.values["unrefined_error"] == pytest.approx(abs(plain - exact) / exact, rel=0.02)
    assert found.values["finest_agreement"] == 1


def test_a_relu_after_the_sum_projects_each_step():
    model = _classifier(Residual(Linear(-3.0), activation=nn.ReLU()))
    images = torch.ones(2, 3, dtype=torch.float64)
    assert not model(images).any()
    with refined(model, 2):
        assert not model(images).any()  # 1 - 1.5 < 0 is projected, and stays there
    with refined(model, 4):
        torch.testing.assert_close(model(images), images * 0.25**4)


def test_only_steps_are_refined():
    shapes = build(model_spec("cifar_resnet20"))
    assert len(refinable(shapes)) == 7  # option A: two units pad and subsample
    assert not refinable(build(model_spec("cifar_plain20")))
    assert not refinable(build(model_spec("cifar_resnet20_bn_after_addition")))
    assert not refinable(_classifier(Residual(Linear(1.0), merge=ConstantScaling(0.5, 0.5))))
    assert not refinable(_classifier(Residual(Linear(1.0), merge=BranchOnly())))
    assert len(refinable(build(model_spec("cifar_preact_resnet20")))) == 7


def test_batch_mode_stochastic_depth_keeps_its_scale(points):
    images, _ = points
    from residua.nn import DropPath

    model = _classifier(Residual(Linear(-0.5), drop_path=DropPath(0.5, "batch"))).eval()
    with refined(model, 2):
        torch.testing.assert_close(model(images), images * (1 - 0.25 / 2) ** 2)


def test_odes_stand_beside_the_adaptive_solver():
    torch.manual_seed(0)
    model = build(model_spec("ode_tiny", solver="euler", steps=1, zero_init=False)).double()
    images, labels = torch.randn(4, 1, 8, 8, dtype=torch.float64), torch.tensor([0, 1, 2, 3])
    before = [flow.solver for flow in model.modules() if hasattr(flow, "solver")]
    found = look("euler", model, images, labels, finest=8)
    assert found.values["reference"] == "the adaptive solver"
    assert found.values["observed_order"] == pytest.approx(1, abs=0.2)
    assert found.values["finest_error"] < found.values["unrefined_error"] / 4
    assert [flow.solver for flow in model.modules() if hasattr(flow, "solver")] == before


def test_what_cannot_be_refined_is_said_and_the_model_stays():
    torch.manual_seed(0)
    model = build(model_spec("cifar_resnet8", widths=[4, 6, 8])).train()
    before = copy.deepcopy(model.state_dict())
    done = []
    found = look(
        "euler",
        model,
        torch.randn(4, 3, 8, 8),
        torch.zeros(4, dtype=torch.int64),
        finest=2,
        progress=lambda *a: done.append(a),
    )
    assert (found.values["units"], found.values["refined_units"], found.values["projected_units"]) == (
        3,
        1,
        1,
    )
    assert "1 of 3 units" in found.sentence
    assert "the other 2 cannot be" in found.sentence
    assert done == [(1, 3), (2, 3), (3, 3)]
    assert model.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(m._forward_hooks for m in model.modules())
    assert all(p.grad is None for p in model.parameters())


def test_what_makes_no_sense_is_refused(points):
    with pytest.raises(UsageError, match="no unit can be refined"):
        look("euler", build(model_spec("cifar_plain20")), torch.randn(1, 3, 8, 8), torch.tensor([0]))
    with pytest.raises(UsageError, match="finest must be at least 2"):
        look("euler", _classifier(Residual(Linear(1.0))), *points, finest=1)
    with pytest.raises(UsageError, match="1 or more steps"), refined(_classifier(Residual(Linear(1.0))), 0):
        pass
