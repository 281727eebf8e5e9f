import pytest
import torch

from residua import create_model
from residua.nn import SqueezeExcite, residual_units
from residua.registry import build, model_spec


@pytest.mark.parametrize(
    ("name", "parameters", "depth"),
    [("seresnet18", 11_779_624, 18), ("seresnet50", 28_088_024, 50), ("seresnext50_32x4d", 27_559_896, 50)],
)
def test_counts_are_timms(name, parameters, depth):
    with torch.device("meta"):
        net = build(model_spec(name))
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert net.spec.depth == depth


@pytest.mark.parametrize(("channels", "hidden"), [(16, 8), (64, 8), (200, 16), (256, 16), (2048, 128)])
def test_hidden_channels_are_rounded(channels, hidden):
    assert SqueezeExcite(channels).fc1.out_channels == hidden


def test_zero_start_spares_the_gate():
    net = create_model("cifar_seresnet8", zero_init=True)
    for unit in residual_units(net).values():
        assert not unit.branch.branch.norm2.weight.any()
        assert bool(unit.branch.gate.fc2.weight.any())
