"""torchdiffeq beside ``nn.solver``: what is equal, and why it is not what residua solves with."""

import math

import pytest
import torch
from torch import nn

from residua.nn.field import TimeField
from residua.nn.ode import odeint, odeint_adjoint
from residua.nn.solver import Solver

torchdiffeq = pytest.importorskip("torchdiffeq")


class Wave(nn.Module):
    """A smooth function of time and state, with parameters."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 3).double()

    def forward(self, t, y):
        return torch.sin(self.layer(y)) * (1 + t)


def inputs():
    torch.manual_seed(1)
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    t0, t1 = (torch.tensor(t, dtype=torch.float64, requires_grad=True) for t in (0.2, 1.5))
    return x, t0, t1


def test_it_agrees():
    function, (x, t0, t1) = Wave(), inputs()
    sources = (x, t0, t1, *function.parameters())
    theirs = torchdiffeq.odeint(function, x, torch.stack([t0, t1]), rtol=1e-9, atol=1e-9, method="dopri5")[1]
    ours = odeint_adjoint(function, x, t0, t1, solver=Solver(rtol=1e-9, atol=1e-9))
    assert torch.allclose(ours, theirs, atol=1e-8)
    expected, got = (torch.autograd.grad(y.square().sum(), sources) for y in (theirs, ours))
    for a, b in zip(expected, got, strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-6)
    for method in ("euler", "midpoint", "rk4"):
        if method == "rk4":
            continue  # theirs is the 3/8 rule
        steps = torch.linspace(0.2, 1.5, 11, dtype=torch.float64)
        theirs = torchdiffeq.odeint(function, x, steps, method=method)[-1]
        assert torch.allclose(odeint(function, x, 0.2, 1.5, solver=Solver(method=method, steps=10)), theirs)


def test_its_fixed_steps_are_neither_exported_nor_recorded():
    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.field = TimeField(4, 2)

        def forward(self, x):
            return torchdiffeq.odeint(self.field, x, torch.tensor([0.0, 1.0]), method="euler")[1]

    x = torch.randn(2, 4, 5, 5)
    with pytest.raises(Exception, match="data-dependent"):
        torch.export.export(Fixed().eval(), (x,), strict=False)
    with pytest.raises(AssertionError, match="y0 must be"):
        torch.fx.symbolic_trace(Fixed())


def test_a_hard_sample_among_easy_ones_is_less_exact_there():
    x = torch.zeros(501, 1, dtype=torch.float64)
    x[-1] = 1
    times = torch.tensor([0.0, 1.0], dtype=torch.float64)
    theirs = torchdiffeq.odeint(lambda t, y: 5 * y, x, times, rtol=1e-6, atol=1e-6)[1]
    ours = odeint(lambda t, y: 5 * y, x, solver=Solver(rtol=1e-6, atol=1e-6))
    errors = [abs(float(y[-1]) / math.exp(5) - 1) for y in (theirs, ours)]
    assert errors[0] > 30 * errors[1]
