import math

import pytest
import torch

from residua.errors import ResiduaError, UsageError
from residua.nn.ode import odeint
from residua.nn.solver import TABLEAUS, Solver

MATRIX = torch.tensor([[-0.5, 2.0], [-2.0, -0.3]], dtype=torch.float64)
X = torch.randn(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def _linear(t, y):
    return y @ MATRIX.T


def _exact(t):
    return X @ torch.linalg.matrix_exp(MATRIX * t).T


@pytest.mark.parametrize("method", TABLEAUS)
def test_halving_the_steps_shrinks_the_error_as_the_order_says(method):
    errors = [
        float(
            (odeint(_linear, X, 0.0, 1.7, solver=Solver(method=method, steps=steps)) - _exact(1.7))
            .abs()
            .max()
        )
        for steps in (24, 48)
    ]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(TABLEAUS[method].order, abs=0.2)


@pytest.mark.parametrize("method", TABLEAUS)
def test_a_tableau_is_consistent(method):
    tableau = TABLEAUS[method]
    assert sum(tableau.weights) == pytest.approx(1)
    assert len(tableau.weights) == len(tableau.stages) + 1
    assert [len(row) for row in tableau.stages] == list(range(1, len(tableau.weights)))
    if tableau.embedded:
        assert sum(tableau.embedded) == pytest.approx(1)
        assert tableau.stages[-1] == tableau.weights[:-1] and tableau.weights[-1] == 0  # first same as last


@pytest.mark.parametrize("method", ["bosh3", "dopri5"])
@pytest.mark.parametrize("tolerance", [1e-3, 1e-6, 1e-8])
def test_the_error_follows_the_tolerance(method, tolerance):
    solver = Solver(method=method, rtol=tolerance, atol=tolerance, max_steps=5000)
    error = float((odeint(_linear, X, 0.0, 1.7, solver=solver) - _exact(1.7)).abs().max())
    assert error < 10 * tolerance


def test_time_may_run_backward_and_may_be_seen():
    there = odeint(_linear, X, 0.0, 1.0, solver=Solver(rtol=1e-9, atol=1e-9))
    back = odeint(_linear, there, 1.0, 0.0, solver=Solver(rtol=1e-9, atol=1e-9))
    assert torch.allclose(back, X, atol=1e-7)
    square = odeint(lambda t, y: 0 * y + 3 * t * t, X, 1.0, 2.0)  # from 1 to 8
    assert torch.allclose(square, X + 7, atol=1e-3)


def test_no_sample_is_less_exact_because_others_are_easy():
    stiff = torch.cat([torch.zeros(500, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)])
    found = odeint(lambda t, y: 5 * y, stiff, solver=Solver(rtol=1e-6, atol=1e-6))
    assert float(found[-1]) == pytest.approx(math.exp(5), rel=1e-4)


def test_a_function_that_is_zero_takes_one_step():
    calls = []
    assert torch.equal(odeint(lambda t, y: calls.append(t) or 0 * y, X), X)
    assert len(calls) == 8  # two to choose the step, six for it: its first slope is known


def test_what_cannot_be_solved_is_one_line():
    with pytest.raises(ResiduaError, match=r"not solved within 20 steps \(0\.\d+ of the way is done.*loosen"):
        odeint(lambda t, y: -1e5 * y, X, solver=Solver(max_steps=20))
    with pytest.raises(ResiduaError, match="no longer finite"):
        odeint(lambda t, y: y / 0, X)
    with pytest.raises(ResiduaError):
        odeint(lambda t, y: y * y * 1e3, X.abs() + 1)  # grows without bound before the end


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "dopri"}, "unknown solver 'dopri'; did you mean 'dopri5'"),
        ({"method": "rk4"}, "rk4 cannot choose its steps: give their number, or take bosh3 or dopri5"),
        ({"steps": 0}, "steps of a solver must be above 0"),
        ({"rtol": -1.0}, "rtol of a solver must be above 0"),
    ],
)
def test_wrong_solvers_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        Solver(**options)
