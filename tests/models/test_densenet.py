import pytest
import torch
from torch import nn

from residua.errors import UsageError
from residua.models.densenet import DenseNetSpec, cifar_spec
from residua.nn import Concat, residual_units
from residua.registry import build, family, model_spec

PARAMETERS = {
    "densenet121": 7_978_856,  # torchvision's
    "densenet161": 28_681_000,
    "densenet169": 14_149_480,
    "densenet201": 20_013_928,
    "densenet_bc_100_12": 769_162,  # Huang et al. 2017, Table 2: 0.8M
}
MILLIONS = {  # Huang et al. 2017, Table 2
    "densenet_40_12": 1.0,
    "densenet_100_12": 7.0,
    "densenet_100_24": 27.2,
    "densenet_bc_250_24": 15.3,
    "densenet_bc_190_40": 25.6,
}


def _meta(name, **changes):
    with torch.device("meta"):
        return build(model_spec(name, **changes))


def _parameters(name):
    return sum(p.numel() for p in _meta(name).parameters())


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_exact_parameters(name, parameters):
    assert _parameters(name) == parameters


@pytest.mark.parametrize(("name", "millions"), MILLIONS.items())
def test_parameters_of_the_papers_cifar_networks(name, millions):
    assert round(_parameters(name) / 1e6, 1) == millions


@pytest.mark.parametrize("name", ["densenet121", "densenet_40_12", "densenet_bc_100_12", "densenet_tiny"])
def test_the_depth_counts_every_convolution_and_every_layer_is_a_unit(name):
    spec, model = model_spec(name), _meta(name)
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == spec.depth
    assert "tiny" in name or str(spec.depth) in name
    units = residual_units(model)
    assert len(units) == sum(spec.depths)
    assert all(
        isinstance(unit.merge, Concat) and unit.merge.channels == spec.unit.growth_rate
        for unit in units.values()
    )


def test_every_layer_sees_the_features_of_all_earlier_ones():
    model = build(model_spec("densenet_tiny")).eval()
    block = model.stages[0]
    x = torch.randn(2, 16, 8, 8)
    features = [x]
    for unit in block:
        features.append(unit.branch(torch.cat(features, 1)))
    assert torch.equal(block(x), torch.cat(features, 1))


def test_a_transition_halves_the_map_and_compresses_the_channels():
    model = build(model_spec("densenet_tiny", compression=0.25))
    stage = model.stages[1]
    assert stage[0] is stage.transition
    assert stage.transition(torch.randn(1, 40, 8, 8)).shape == (1, 10, 4, 4)
    assert model(torch.randn(2, 3, 8, 8)).shape == (2, 10)


def test_without_bottlenecks_a_layer_is_one_convolution():
    branch = residual_units(_meta("densenet_40_12"))["stages.0.0"].branch
    assert [type(m) for m in branch] == [nn.BatchNorm2d, nn.ReLU, nn.Conv2d]


def test_a_dropped_layer_gives_zeros_and_keeps_the_shape():
    torch.manual_seed(0)
    model = build(
        model_spec("densenet_tiny", drop_path=0.999, drop_path_rule="uniform", drop_path_mode="batch")
    )
    x = torch.randn(4, 16, 8, 8)
    out = model.stages[0].train()(x)
    assert torch.equal(out[:, :16], x), "what older layers made passes"
    assert torch.equal(out[:, 16:], torch.zeros_like(out[:, 16:]))
    model(torch.randn(4, 3, 8, 8)).sum().backward()
    assert all(p.grad is None for u in residual_units(model).values() for p in u.branch.parameters())


def test_in_evaluation_the_branch_is_scaled_by_its_survival_in_batch_mode():
    spec = model_spec("densenet_tiny", drop_path=0.4, drop_path_rule="uniform", drop_path_mode="batch")
    unit = residual_units(build(spec).eval())["stages.0.0"]
    x = torch.randn(2, 16, 8, 8)
    assert torch.allclose(unit(x)[:, 16:], 0.6 * unit.branch(x))


def test_drop_path_rates_follow_the_rule():
    units = residual_units(_meta("densenet_tiny", drop_path=0.5)).values()
    assert [unit.drop_path.rate for unit in units] == pytest.approx([0.5 * (i + 1) / 9 for i in range(9)])


def test_dropout_follows_every_convolution_but_the_first():
    model = _meta("densenet_40_12", dropout=0.2)
    assert sum(isinstance(m, nn.Dropout) for m in model.modules()) == 36 + 2
    assert not any(isinstance(m, nn.Dropout) for m in model.stem.modules())


def test_every_parameter_learns_at_eight_pixels():
    torch.manual_seed(0)
    model = build(model_spec("densenet_tiny", in_channels=1))
    model(torch.randn(4, 1, 8, 8)).square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.ne(0).any()) for p in model.parameters())


@pytest.mark.parametrize(
    ("depth", "bc", "message"),
    [
        (41, False, r"depth 41 is not 3n\+4 \(no bottlenecks\); the nearest are 40 and 43"),
        (99, True, r"depth 99 is not 6n\+4 \(with bottlenecks\); the nearest are 94 and 100"),
        (4, False, "the nearest are 7 and 10"),
    ],
)
def test_a_depth_that_fits_no_formula_gets_one_clear_line(depth, bc, message):
    with pytest.raises(UsageError, match=message):
        cifar_spec(depth, 12, bc=bc)


def test_names_of_any_depth_and_growth_are_known():
    spec = model_spec("densenet_bc_40_24")
    assert (spec.depths, spec.unit.growth_rate, spec.stem.width, spec.depth) == ((6, 6, 6), 24, 48, 40)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depths": []}, "not empty"),
        ({"depths": [3, 0]}, "needs a unit"),
        ({"stem": "cifar"}, "small images take stem 'cifar-conv'"),
        ({"growth_rate": 0}, "growth_rate must be above 0"),
        ({"bottleneck": -1}, "bottleneck cannot be negative"),
        ({"compression": 1.5}, r"compression must be in \(0, 1\]"),
        ({"compression": 0.001}, "without channels"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\)"),
        ({"drop_path": -0.1}, r"drop_path.rate must be in \[0, 1\)"),
    ],
)
def test_specs_that_cannot_be_built_are_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        model_spec("densenet121", **changes)


def test_the_round_trip_of_a_spec():
    spec = model_spec(family("densenet").tiny, drop_path=0.1)
    assert DenseNetSpec.from_dict(spec.to_dict()) == spec
