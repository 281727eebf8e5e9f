import pytest
import torch

from residua import create_model
from residua.errors import UsageError
from residua.registry import model_spec


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("convnext_tiny", 28_589_128),
        ("convnext_small", 50_223_688),
        ("convnext_base", 88_591_464),
        ("convnext_large", 197_767_336),
    ],
)
def test_counts_are_torchvisions(name, parameters):
    with torch.device("meta"):
        from residua.registry import build

        net = build(model_spec(name))
    assert sum(p.numel() for p in net.parameters()) == parameters


def test_it_starts_as_the_paper_says():
    torch.manual_seed(0)
    net = create_model("convnext_digits")
    unit = net.stages[0][0]
    assert float(unit.branch.fc1.weight.std()) == pytest.approx(0.02, rel=0.1)
    assert not unit.branch.fc1.bias.any() and not net.head.fc.bias.any()
    assert bool((unit.merge.gain == 0.1).all())
    assert model_spec("convnext_tiny").merge.start == 1e-6


def test_options_apply_or_are_refused():
    net = create_model(
        "convnext_digits", unit="inverted(kernel=3, expansion=2)", norm="batch", activation="relu"
    )
    branch = net.stages[0][0].branch
    assert branch.conv.kernel_size == (3, 3) and branch.fc1.out_channels == 64
    assert type(branch.norm).__name__ == "BatchNorm2d" and type(branch.act).__name__ == "ReLU"
    with pytest.raises(UsageError, match="kernel of an inverted unit must be odd"):
        model_spec("convnext_digits", unit="inverted(kernel=4)")
    with pytest.raises(UsageError, match="need a transition between stages"):
        model_spec("convnext_digits", transition="none")
    with pytest.raises(UsageError, match="needs order='none'"):
        create_model("convnext_digits", order="original")
