import pytest
import torch

from residua.errors import UsageError
from residua.nn import residual_units
from residua.nn.ode import ODEBlock, refine
from residua.registry import build, family, model_spec, spec_from_dict


@pytest.mark.parametrize(
    ("name", "parameters", "units"),
    [
        ("ode_mnist", 208_266, 1),
        ("rk_mnist", 208_266, 1),
        ("euler_mnist", 576_778, 6),
    ],  # the authors' code counts so
)
def test_the_counts_are_the_authors(name, parameters, units):
    spec = model_spec(name)
    with torch.device("meta"):
        model = build(spec)
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert all(type(unit) is ODEBlock for unit in residual_units(model).values())
    assert len(residual_units(model)) == units
    assert model(torch.empty(1, *spec.usual_input, device="meta")).shape == (1, 10)
    assert spec_from_dict(spec.to_dict()) == spec


def test_euler_blocks_lie_one_after_the_other_in_time():
    flows = [unit.branch for unit in residual_units(build(model_spec("euler_digits"))).values()]
    assert [(flow.t0, flow.t1) for flow in flows] == [(float(i), float(i + 1)) for i in range(6)]


def test_a_refined_network_answers_and_keeps_its_weights():
    torch.manual_seed(0)
    model = build(model_spec("euler_digits", width=8, groups=2, zero_init=False)).eval()
    names = list(model.state_dict())
    x = torch.randn(2, 1, 8, 8)
    coarse = model(x)
    refine(model, 4)
    assert not torch.equal(model(x), coarse)
    assert list(model.state_dict()) == names


@pytest.mark.parametrize("changes", [{}, {"adjoint": False}, {"solver": "rk4", "steps": 1, "adjoint": False}])
def test_the_tiny_one_trains_every_parameter(changes):
    torch.manual_seed(0)
    model = build(model_spec(family("ode").tiny, zero_init=False, **changes))
    x = torch.randn(4, 1, 8, 8, requires_grad=True)
    model(x).logsumexp(1).sum().backward()
    assert all(t.grad is not None and t.grad.abs().sum() > 0 for t in (x, *model.parameters()))


def test_zero_init_starts_as_the_identity():
    model = build(model_spec("ode_tiny"))
    x = torch.randn(2, 1, 8, 8)
    assert torch.equal(model.stages(model.stem(x)), model.stem(x))


def test_drop_path_is_a_keyword_here_too():
    model = build(model_spec("euler_digits", drop_path=0.6, drop_path_mode="batch"))
    rates = [unit.drop_path.rate for unit in residual_units(model).values()]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"solver": "rk4"}, "rk4 cannot choose its steps: set steps"),
        ({"groups": 3}, "groups must divide width, not 3 and 8"),
        ({"steps": 0}, "steps must be above 0"),
        ({"halvings": -1}, "halvings cannot be negative"),
        ({"drop_path": 1.0}, "drop_path.rate must be in"),
    ],
)
def test_what_cannot_be_is_one_line(changes, message):
    with pytest.raises(UsageError, match=message):
        model_spec("ode_tiny", **changes)
