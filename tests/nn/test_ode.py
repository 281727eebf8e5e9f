import pytest
import torch
from torch import nn

from residua.errors import UsageError
from residua.nn import Residual, residual_units
from residua.nn.field import SteadyField, TimeField
from residua.nn.ode import Flow, ODEBlock, odeint, odeint_adjoint, refine
from residua.nn.solver import Solver

EXACT = Solver(rtol=1e-9, atol=1e-9)


class Wave(nn.Module):
    """A smooth function of time and state, with parameters."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 3).double()

    def forward(self, t, y):
        return torch.sin(self.layer(y)) * (1 + t)


def _inputs():
    torch.manual_seed(1)
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    t0, t1 = (torch.tensor(t, dtype=torch.float64, requires_grad=True) for t in (0.2, 1.5))
    return x, t0, t1


def test_one_euler_step_is_the_residual_unit_exactly():
    torch.manual_seed(0)
    field = SteadyField(8, 2)
    block = ODEBlock(field, solver=Solver(method="euler", steps=1))
    unit = Residual(field.branch)
    x = torch.randn(2, 8, 5, 5)
    assert torch.equal(block(x), unit(x))
    half = ODEBlock(field, 0.0, 0.5, solver=Solver(method="euler", steps=1))
    assert torch.equal(half(x), x + 0.5 * field.branch(x))


def test_blocks_are_residual_units_and_a_refined_network_nears_its_ode():
    torch.manual_seed(0)
    field = TimeField(4, 2).double()
    net = nn.Sequential(ODEBlock(field, solver=Solver(method="euler", steps=2)))
    assert list(residual_units(net)) == ["0"]
    x = torch.randn(2, 4, 4, 4, dtype=torch.float64)
    exact = odeint(field, x, solver=Solver(rtol=1e-6, atol=1e-6))
    names, errors = list(net.state_dict()), []
    with torch.no_grad():
        for _ in range(3):
            errors.append(float((net(x) - exact).abs().max()))
            refine(net, 8)
    assert list(net.state_dict()) == names  # the same weights
    assert errors[0] > 5 * errors[1] > 25 * errors[2]  # first order: an eighth each
    with pytest.raises(UsageError, match="no solver with a fixed number of steps"):
        refine(nn.Sequential(ODEBlock(field)), 2)
    with pytest.raises(UsageError, match="1 or more"):
        refine(net, 0)


def test_the_adjoint_gives_the_gradients_of_backpropagation():
    function, (x, t0, t1) = Wave(), _inputs()
    sources = (x, t0, t1, *function.parameters())
    grads = []
    for solve in (odeint, odeint_adjoint):
        loss = (solve(function, x, t0, t1, solver=EXACT) ** 3).sum()
        grads.append(torch.autograd.grad(loss, sources))
    for through, adjoint in zip(*grads, strict=True):
        assert torch.allclose(through, adjoint, rtol=1e-6, atol=1e-6)


def test_small_gradients_are_as_exact_as_large_ones():
    function, (x, t0, t1) = Wave(), _inputs()
    grads = []
    for scale in (1.0, 1e-9):
        loss = (
            odeint_adjoint(function, x, t0, t1, solver=Solver(rtol=1e-5, atol=1e-5)) * scale
        ).square().sum() / scale
        grads.append([g / scale for g in torch.autograd.grad(loss, (x, *function.parameters()))])
    for large, small in zip(*grads, strict=True):
        assert torch.allclose(large, small, rtol=1e-9)


def _saved(block, x):
    """Bytes that autograd keeps for the backward pass."""
    kept = {}

    def pack(tensor):
        kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        y = block(x)
    y.sum().backward()
    return sum(kept.values())


@pytest.mark.parametrize("adjoint", [True, False])
def test_memory_is_constant_in_the_steps_with_the_adjoint_only(adjoint):
    torch.manual_seed(0)
    field = TimeField(8, 2)
    x = torch.randn(4, 8, 6, 6, requires_grad=True)
    loose, tight = (
        ODEBlock(field, solver=Solver(rtol=tolerance, atol=tolerance), adjoint=adjoint)
        for tolerance in (1e-1, 1e-5)
    )
    few, many = _saved(loose, x), _saved(tight, x)
    assert tight.branch.evaluations > 3 * loose.branch.evaluations
    if adjoint:
        assert few == many
    else:
        assert many > 3 * few


def test_a_model_trains_through_the_adjoint_under_bfloat16():
    torch.manual_seed(0)
    block = ODEBlock(TimeField(8, 2), adjoint=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = block(torch.randn(2, 8, 5, 5).bfloat16())
        y.square().mean().backward()
    assert y.dtype == torch.float32  # an adaptive step's error is below bfloat16's rounding
    assert all(torch.isfinite(p.grad).all() and p.grad.abs().sum() > 0 for p in block.parameters())


def test_a_network_in_bfloat16_is_solved_as_exactly_as_its_numbers_are():
    torch.manual_seed(0)
    block = ODEBlock(TimeField(8, 2))
    x = torch.randn(2, 8, 5, 5)
    exact = block(x)
    coarse = block.bfloat16()(x.bfloat16())
    assert coarse.dtype == torch.bfloat16 and block.branch.evaluations < 100
    assert float((coarse.float() - exact).abs().max().detach()) < 0.2


def test_batch_norm_is_refused_inside():
    function = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))
    with pytest.raises(UsageError, match=r"batch norm \(1\) inside an ODE"):
        ODEBlock(function)


def test_fixed_steps_export_and_adaptive_ones_say_that_they_cannot():
    fixed = ODEBlock(TimeField(4, 2), solver=Solver(method="rk4", steps=2)).eval()
    x = torch.randn(2, 4, 5, 5)
    program = torch.export.export(fixed, (x,), strict=False)
    assert torch.allclose(program.module()(x), fixed(x), atol=1e-6)
    with pytest.raises(UsageError, match="cannot be exported"):
        torch.export.export(ODEBlock(TimeField(4, 2)).eval(), (x,), strict=False)


@pytest.mark.slow
def test_compiling_leaves_an_adaptive_solver_as_it_is():
    torch.manual_seed(0)
    block = ODEBlock(TimeField(4, 2), adjoint=True)
    net = nn.Sequential(nn.Conv2d(4, 4, 1), block)
    x = torch.randn(2, 4, 5, 5)
    expected = net(x)
    assert torch.allclose(torch.compile(net, backend="aot_eager")(x), expected, atol=1e-5)
    torch._dynamo.reset()


def test_the_flow_counts_its_evaluations():
    flow = Flow(TimeField(4, 2), solver=Solver(method="rk4", steps=3))
    flow(torch.randn(1, 4, 5, 5))
    assert flow.evaluations == 12
    flow(torch.randn(1, 4, 5, 5))
    assert flow.evaluations == 12
