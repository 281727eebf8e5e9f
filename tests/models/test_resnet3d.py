import pytest
import torch
from torch import nn

from residua.analysis.cost import totals
from residua.errors import UsageError
from residua.nn import Residual, residual_units
from residua.registry import build, family, model_spec, spec_from_dict


def test_the_counts_of_r3d_18_are_torchvisions_and_its_multiply_adds_too():
    spec = model_spec("r3d_18")
    parameters, multiply_adds = totals(spec, spec.usual_input)
    assert parameters == 33_371_472
    assert round(multiply_adds / 1e9, 3) == 40.697


@pytest.mark.parametrize(
    ("name", "depth", "units"), [("r3d_18", 18, 8), ("r3d_34", 34, 16), ("r3d_50", 50, 16)]
)
def test_depth_and_units(name, depth, units):
    spec = model_spec(name)
    with torch.device("meta"):
        model = build(spec)
    assert spec.depth == depth
    assert len(residual_units(model)) == units
    assert all(type(unit) is Residual for unit in residual_units(model).values())
    assert not any(isinstance(m, nn.Conv2d | nn.BatchNorm2d) for m in model.modules())
    assert spec_from_dict(spec.to_dict()) == spec


def test_the_deeper_ones_have_the_counts_of_their_arithmetic():
    # 3x3x3 weights of r3d_34 beside r3d_18, units of two convolutions and two norms: 1, 2, 4 and 1 more of them
    more = sum(n * 2 * (27 * w * w + 2 * w) for n, w in ((1, 64), (2, 128), (4, 256), (1, 512)))
    spec = model_spec("r3d_34")
    assert totals(spec, spec.usual_input)[0] == 33_371_472 + more


@pytest.mark.parametrize("shortcut", ["A", "B", "C"])
def test_shapes_of_features_and_errors_of_input(shortcut):
    model = build(model_spec("r3d_tiny", shortcut=shortcut)).eval()
    assert model(torch.randn(2, 1, 8, 16, 16)).shape == (2, 8)
    assert model.forward_features(torch.randn(2, 1, 8, 16, 16)).shape == (2, 32, 2, 4, 4)
    assert model(torch.randn(1, 1, 1, 16, 16)).shape == (1, 8)  # a clip of one frame
    with pytest.raises(UsageError, match=r"volumes must be \(N, C, D, H, W\), got 4 dimensions"):
        model(torch.randn(2, 1, 16, 16))
    with pytest.raises(UsageError, match="takes 1 channels, got 3"):
        model(torch.randn(2, 3, 8, 16, 16))
    with pytest.raises(UsageError, match="needs at least 4 px, got 3x16"):
        model(torch.randn(2, 1, 8, 3, 16))


def test_drop_path_rises_linearly_and_zero_changes_nothing():
    model = build(model_spec("r3d_small", drop_path=0.6))
    rates = [unit.drop_path.rate for unit in residual_units(model).values()]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    with pytest.raises(UsageError, match="drop_path"):
        model_spec("r3d_tiny", drop_path=1.0)


def test_the_tiny_one_trains_every_parameter():
    torch.manual_seed(0)
    model = build(model_spec(family("resnet3d").tiny))
    model(torch.randn(4, 1, 8, 16, 16)).logsumexp(1).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
